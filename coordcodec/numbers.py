"""Numbers and texts as files hold them. Whatever is wrong with what is read raises ContainerError."""

from __future__ import annotations

from coordcodec.errors import ContainerError


class Reader:
    """Takes numbers off the front of a buffer; running out of bytes is a ContainerError."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        """The next bytes, so many."""
        if count > len(self.data) - self.at:
            raise ContainerError("truncated file: the header runs past its end")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def varint(self, what: str, lowest: int, highest: int) -> int:
        """The next varint, within limits."""
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 63:
                raise ContainerError(f"damaged file: the number for {what} does not end")
        if not lowest <= value <= highest:
            raise ContainerError(f"damaged file: {what} is {value}, expected {lowest} to {highest}")
        return value

    def text(self, what: str, longest: int) -> str:
        """The next text, at most so many bytes of it."""
        try:
            return self.take(self.varint(f"the length of {what}", 0, longest)).decode("utf-8")
        except UnicodeDecodeError:
            raise ContainerError(f"damaged file: {what} is not UTF-8") from None


def varint(value: int) -> bytes:
    """An unsigned integer in base 128, least significant group first, high bit set on all bytes but the last."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, what: str, lowest: int, highest: int) -> tuple[int, bytes]:
    """The unsigned integer at the front of `data`, and what follows it. Raises ContainerError."""
    reader = Reader(data)
    return reader.varint(what, lowest, highest), data[reader.at :]
