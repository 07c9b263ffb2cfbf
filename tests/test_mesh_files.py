"""Mesh files as other programs write them: laid out in every way that is allowed, and in some that are not."""

import io
import struct
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordcodec.errors import SignalError
from coordcodec.plugins import installed
from coordcodec_sdf.files import read_mesh, sniff
from coordcodec_sdf.polygons import Polygons, triangles

SDF = installed().modalities.get("sdf")
BOX = np.array([(0, 0, 0), (2, 0, 0), (2, 3, 0), (0, 3, 0), (0, 0, 4), (2, 0, 4), (2, 3, 4), (0, 3, 4)], float)
QUADS = [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
TRIANGLES = [t for q in QUADS for t in (q[:3], (q[0], q[2], q[3]))]
MIXED = QUADS[:3] + TRIANGLES[6:]
PAINTED = "its colours or textures are not carried, only its shape is"


def read(text):
    """A file that is read without a warning: a warning is an error here."""
    return read_mesh(text.encode("latin-1") if isinstance(text, str) else text, "a file")


def volume(mesh):
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def is_box(mesh):
    assert volume(mesh) == pytest.approx(24)
    assert len(mesh.faces) == 12
    assert mesh.areas.sum() == pytest.approx(52)
    assert mesh.bounds.tolist() == [[0, 0, 0], [2, 3, 4]]
    return True


def refusal(data):
    with pytest.raises(SignalError) as caught:
        read(data)
    message = str(caught.value)
    assert message.isprintable()
    return message


# OBJ

V = "".join("v {:g} {:g} {:g}\n".format(*v) for v in BOX)
F = "".join("f {} {} {} {}\n".format(*(i + 1 for i in q)) for q in QUADS)
F3 = "".join("f {} {} {}\n".format(*(i + 1 for i in t)) for t in TRIANGLES)
BACKWARDS = "".join("f {} {} {} {}\n".format(*(i - 8 for i in q)) for q in QUADS)


def corners(pattern):
    """Faces whose corners are written in some way, such as {0}//1."""
    return "".join("f " + " ".join(pattern.format(i + 1, i - 8) for i in q) + "\n" for q in QUADS)


@pytest.mark.parametrize(
    "text",
    [
        V + F,
        V + F3,
        V + BACKWARDS,
        V + "vn 0 0 1\n" + corners("{}//1"),
        V + "vn 0 0 1\n" + corners("{1}//-1"),
        V.replace("\n", " 1.0\n") + F,  # a weight
        V.replace("2", "2.0e+0").replace("3", ".3E1").replace("4", "400e-2") + F,
        (V + F).replace(" ", " \t   "),
        (V + F).replace(" ", "\t"),
        (V + F).replace("\n", "\n  \t"),
        (V + F).replace("\n", "\r"),
        (V + F).replace("\n", "\r\n"),
        (V + F).replace("\n", "\n\n\n"),
        (V + F).rstrip("\n"),
        (V + F).replace("\n", " # v 1 2 3\n"),
        (V + F).replace("\n", "#\n"),
        "\xef\xbb\xbf" + V + F,
        ("\ufeff" + V + F).encode("utf-16-le"),
        "# größe\no Würfel\nmtllib bü.mtl\nusemtl röd\n" + V + F,
        "mtllib C:\\textures\\\n" + V + "usemtl a\\\n" + F,
        (V + F).replace("v 2 3 4", "v 2 \\\n 3\\\n\t4").replace("f 1 4 3 2", "f 1 4 \\  \n\\\n3 2 \\\n"),
        "g a b\ns 1\n" + V + "o x\ng c\ns off\n" + F + "usemtl nowhere\n",
        F + V,
        V + F + "p 1 2\nl 1 2 3\nf 1 2\n",
        "cstype bspline\ndeg 3\n" + V + "vp 0.5 0.5\ncurv 0 1 1 2 3\nparm u 0 1\nend\n" + F,
        V + F.replace("f ", "fo "),
        V + "v nan nan nan\nv 1e400 0 0\n" + F,  # which no face names
        V + "call other.obj\nhello world 1 2\n" + F,
    ],
)
def test_a_box_as_obj(text):
    assert is_box(read(text))


def test_relative_indices_count_from_the_vertices_before_them():
    second = V.replace("v 2", "v 7").replace("v 0", "v 5")
    mesh = read("o a\n" + V + BACKWARDS + "o b\n" + second + BACKWARDS)
    assert volume(mesh) == pytest.approx(48)
    assert mesh.bounds.tolist() == [[0, 0, 0], [7, 3, 4]]
    assert len(mesh.vertices) == 16


def test_many_blocks_are_read_as_one(monkeypatch):
    second = V.replace("v 2", "v 7").replace("v 0", "v 5")
    text = "# ä\n" + V + BACKWARDS + second + BACKWARDS + V + F
    whole = read(text)
    monkeypatch.setattr("coordcodec_sdf.words._BLOCK", 7)
    pieces = read(text)
    assert np.array_equal(whole.vertices, pieces.vertices)
    assert np.array_equal(whole.faces, pieces.faces)


@pytest.mark.parametrize(
    "text",
    [
        V.replace("\n", " 1 0 0\n") + F,
        V + "vt 0 0\n" + corners("{}/1"),
        V + "vt 0 0\nvn 0 0 1\n" + corners("{1}/-1/-1"),
    ],
)
def test_painted_objs_say_what_is_lost(text):
    with pytest.warns(UserWarning, match=PAINTED):
        assert is_box(read(text))


def test_free_form_surfaces_are_not_passed_over_in_silence():
    surface = "surf 0 1 0 1 1 2 3 4\n"
    with pytest.warns(UserWarning, match="free-form surfaces are not read"):
        assert is_box(read(V + F + surface))
    assert "export it as polygons" in refusal(V + surface)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (V + F.replace("f 1 ", "f 0 "), "names vertex 0, but OBJ counts from 1"),
        (V + F + "f 1 2 99\n", "its faces name vertices that do not exist: one names vertex 99 of 8"),
        (V + F + "f 1 2 -9\n", "one names vertex -9, but 8 vertices stand before it"),
        (BACKWARDS + V, "one names vertex -8, but 0 vertices stand before it"),
        (V + F + "f 1 2 " + "9" * 40 + "\n", "vertices that do not exist"),
        (V + F.replace("f 1 ", "f 1.5 "), "'1.5' stands where a whole number is expected"),
        (V + F.replace("f 1 ", "f /1 "), "'/1' stands where a whole number is expected"),
        (V.replace("v 2 3 4", "v 2,5 3 4") + F, "'2,5' stands where a number is expected"),
        (V.replace("v 2 3 4", "v 2 3") + F, "'v 2 3' is no vertex, expected three numbers"),
        (V.replace("v 2 3 4", "v 2-3 4 5") + F, "'2-3' stands where"),
        (V.replace("v 2 3 4", "v \xfc 3 4") + F, "'\\\\xfc' stands where"),
        (V.replace("v 2 3 4", "v nan 3 4") + F, "not finite"),
        (V.replace("v 2 3 4", "v inf 3 4") + F, "not finite"),
        (V + "p 1 2 3\nl 1 2 3\n", "points but no faces"),
        (V + "f 1 2\n", "points but no faces"),
        ("# nothing\no x\n", "holds nothing that is"),
        ("v 1 2 3\n" + "f 1 1 1\n" * 2_000_001, "at most 2000000 are read"),
        ("v 1 2 3\nf" + " 1" * 2_000_003, "at most 2000000 are read"),
    ],
)
def test_objs_that_are_refused_say_why(text, says):
    assert says in refusal(text)


# PLY

NAMES = {
    "u1": "uchar",
    "i1": "int8",
    "u2": "ushort",
    "i4": "int",
    "u4": "uint32",
    "f4": "float",
    "f8": "double",
    "i8": "int64",
}
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


class Ply:
    """A PLY file, element by element."""

    def __init__(self, form):
        self.order, self.header, self.body = ORDERS[form], f"ply\nformat {form} 1.0\ncomment größe\n", b""

    def row(self, kinds, values):
        if self.order:
            packed = (np.array(v).astype(self.order + k).tobytes() for k, v in zip(kinds, values, strict=True))
            self.body += b"".join(packed)
        else:
            self.body += " ".join(f"{v:g}" for v in values).encode() + b"\n"

    def element(self, name, rows, **fields):
        """fields: a kind, or (kind of the count, kind) of a list."""
        self.header += f"element {name} {len(rows)}\n"
        for key, kind in fields.items():
            words = f"list {NAMES[kind[0]]} {NAMES[kind[1]]}" if isinstance(kind, tuple) else NAMES[kind]
            self.header += f"property {words} {key}\n"
        for row in rows:
            kinds, values = [], []
            for kind, value in zip(fields.values(), row, strict=True):
                if isinstance(kind, tuple):
                    kinds += [kind[0]] + [kind[1]] * len(value)
                    values += [len(value), *value]
                else:
                    kinds.append(kind)
                    values.append(value)
            self.row(kinds, values)
        return self

    def bytes(self, end="\n", tail=b""):
        header = (self.header + "end_header\n").replace("\n", end).encode("latin-1")
        return header + (self.body if self.order else self.body.replace(b"\n", end.encode())) + tail


def box(form, faces=QUADS, count="u1", index="i4", number="f4"):
    ply = Ply(form).element("vertex", BOX, x=number, y=number, z=number)
    return ply.element("face", [(f,) for f in faces], vertex_indices=(count, index))


@pytest.fixture(params=sorted(ORDERS))
def form(request):
    return request.param


@pytest.mark.parametrize("faces", [TRIANGLES, QUADS, MIXED], ids=["triangles", "quads", "mixed"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("tail", [b"", b"\n\n", b"\0\0", b"xy"])
def test_a_box_as_ply(form, faces, end, tail):
    assert is_box(read(box(form, faces).bytes(end, tail)))


@pytest.mark.parametrize(
    "kinds", [("i1", "u4", "f8"), ("u2", "u2", "f4"), ("i4", "i8", "f8"), ("u4", "i1", "i4"), ("u1", "f4", "i1")]
)
def test_numbers_of_a_ply_may_be_of_any_kind(form, kinds):
    assert is_box(read(box(form, MIXED, *kinds).bytes()))


def test_other_elements_and_properties_of_a_ply_are_passed_over(form):
    rng = np.random.default_rng(0)
    lists = [(tuple(range(n)), 0.5, tuple(range(n % 3))) for n in (3, 0, 5)]
    ply = Ply(form)
    ply.element("camera", [(1, 2.5)], view="i4", scale="f8")
    ply.element("strands", lists, first=("u1", "i4"), weight="f4", second=("u2", "f8"))
    rows = [(n, v[2], v[0], tuple(range(n % 4)), v[1]) for n, v in enumerate(BOX)]
    ply.element("vertex", rows, quality="u2", z="f4", x="f8", weights=("u1", "f4"), y="f4")
    more = [(int(rng.integers(9)), f, (0.5,) * n, 3) for n, f in enumerate(MIXED)]
    ply.element("face", more, flags="u1", vertex_index=("u1", "i4"), values=("u1", "f4"), group="i4")
    ply.element("edge", [(0, 1), (1, 2)], vertex1="i4", vertex2="i4")
    assert is_box(read(ply.bytes()))


def test_faces_may_come_before_vertices(form):
    ply = Ply(form).element("face", [(f,) for f in MIXED], vertex_indices=("u1", "i4"))
    assert is_box(read(ply.element("vertex", BOX, x="f4", y="f4", z="f4").bytes()))


def test_triangle_strips_are_read(form):
    strips = [[k for a, b, c, d in QUADS[:3] for k in (a, b, d, c, -1)], *([a, b, d, c] for a, b, c, d in QUADS[3:])]
    ply = Ply(form).element("vertex", BOX, x="f4", y="f4", z="f4")
    assert is_box(read(ply.element("tristrips", [(s,) for s in strips], vertex_indices=("i4", "i4")).bytes()))


def test_every_second_triangle_of_a_strip_is_turned_around():
    ply = Ply("ascii").element("vertex", [(k // 2, k % 2, 0) for k in range(7)], x="f4", y="f4", z="f4")
    mesh = read(ply.element("tristrips", [(range(7),)], vertex_indices=("i4", "i4")).bytes())
    assert len(mesh.faces) == 5
    assert np.allclose(mesh.normals, [0, 0, -1])


def test_colours_of_a_ply_are_told_of(form):
    ply = Ply(form).element("vertex", [(*v, 255) for v in BOX], x="f4", y="f4", z="f4", red="u1")
    ply.element("face", [(f,) for f in QUADS], vertex_indices=("u1", "i4"))
    with pytest.warns(UserWarning, match=PAINTED):
        assert is_box(read(ply.bytes()))


def test_values_of_a_text_ply_may_run_over_lines():
    ply = box("ascii", MIXED).bytes()
    head, body = ply.split(b"end_header\n")
    assert is_box(read(head + b"end_header\n" + body.replace(b" ", b"\n")))
    assert is_box(read(head + b"end_header\n" + body.replace(b"\n", b" ")))


def test_rows_behind_what_a_ply_declares_are_told_of(form):
    ply = box(form, MIXED).bytes()
    with pytest.warns(UserWarning, match="behind its 16 rows are not read"):
        read(ply.replace(b"element face 9", b"element face 8"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (box("ascii").bytes()[:-4], "it is cut off"),
        (box("binary_little_endian").bytes()[:-1], "it is cut off"),
        (box("binary_big_endian", MIXED).bytes()[:-1], "it is cut off"),
        (box("ascii", [*QUADS, (0, 1, 99)]).bytes(), "one names vertex 99, counted from 0, of 8"),
        (box("binary_big_endian", [*QUADS, (0, 1, -1)]).bytes(), "one names vertex -1, counted from 0, of 8"),
        (box("ascii", []).bytes(), "points but no faces"),
        (box("ascii").bytes().replace(b"0 0 0\n", b"0 0 0 255\n"), "its lines do not hold what its header declares"),
        (box("ascii").bytes().replace(b"2 3 4\n", b"2 x 4\n"), "'x' stands where a number is expected"),
        (box("ascii").bytes().replace(b"2 3 4\n", b"2 nan 4\n"), "not finite"),
        (
            box("ascii").bytes().replace(b"4 0 3 2 1\n", b"4 0 3 2 1.5\n"),
            "'1.5' stands where a whole number is expected",
        ),
        (box("ascii").bytes().replace(b"4 0 3 2 1\n", b"-4 0 3 2 1\n"), "a list has a length"),
        (
            box("ascii").bytes().replace(b"ascii", b"binary_middle_endian"),
            "damaged in 'format binary_middle_endian 1.0'",
        ),
        (box("ascii").bytes().replace(b"float x", b"triple x"), "damaged in 'property triple x'"),
        (box("ascii").bytes().replace(b"float z", b"float depth"), "no x, y and z"),
        (box("ascii").bytes().replace(b"face 6", b"face 6000000000000"), "it is cut off"),
        (box("binary_little_endian").bytes().replace(b"vertex 8", b"vertex " + b"9" * 30), "it is cut off"),
        (box("ascii").bytes().replace(b"end_header", b"end"), "no end (end_header)"),
        (
            Ply("ascii").element("vertex", BOX, x="f4", y="f4", z="f4").element("face", [(3,)], group="i4").bytes(),
            "no list of vertices",
        ),
    ],
)
def test_plys_that_are_refused_say_why(data, says):
    assert says in refusal(data)


# STL

CORNERS = BOX[TRIANGLES]


def facets(count=None, header=b"made for a test", attribute=0, corners=CORNERS):
    rows = (struct.pack("<12fH", 0, 0, 1, *corner.ravel(), attribute) for corner in corners)
    number = len(corners) if count is None else count
    return header.ljust(80, b"\0") + struct.pack("<I", number) + b"".join(rows)


def solid(name="x", corners=CORNERS):
    facet = "  facet normal 0 0 1\n    outer loop\n{}    endloop\n  endfacet\n"
    lines = ["".join("      vertex {:g} {:g} {:g}\n".format(*p) for p in corner) for corner in corners]
    return f"solid {name}\n" + "".join(facet.format(three) for three in lines) + f"endsolid {name}\n"


@pytest.mark.parametrize(
    "data",
    [
        facets(),
        facets(header=b"solid facet foo"),
        facets() + b"0123456789",
        facets(header=b"solid facet foo") + b"xy",
        facets(attribute=7),
        facets()[:-2],  # without the last attribute
        solid(),
        solid(""),
        solid("Würfel"),
        solid("vertex 1 2 3 facet normal"),
        solid().upper(),
        solid().replace("\n", "\r"),
        solid().replace("\n", "\r\n\r\n"),
        solid().replace("\n", " "),
        solid().replace(" 2", "\t2.0e0"),
        "\xef\xbb\xbf" + solid(),
        "\n\n  " + solid(),
        solid()[: solid().rindex("endsolid")],
        solid("a", CORNERS[:5]) + solid("b", CORNERS[5:]),
        solid() + "solid empty\nendsolid empty\n",
        solid().replace("facet normal", "color 0 0 1\nfacet normal"),
    ],
)
def test_a_box_as_stl(data):
    assert is_box(read(data))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (facets(0), "its header counts 0 facets; the 12 that it holds are read"),
        (facets(0xFFFFFFFF), "its header counts 4294967295 facets; the 12 that it holds are read"),
        (facets(0) + b"xy", "its header counts 0 facets"),
        (facets(6), "its header counts 6 facets; the 12 that it holds are read"),
        (facets() + b"\0" * 428, "428 bytes behind its 12 facets are not read"),
        (facets() + b" " * 50, "50 bytes behind its 12 facets are not read"),
        (facets() + b"some notes, " * 50, "600 bytes behind its 12 facets are not read"),
        (facets(header=b"COLOR=rgba"), PAINTED),
        (facets(attribute=0x801F), PAINTED),
    ],
)
def test_stls_with_an_odd_count_or_tail_are_read_and_told_of(data, says):
    with pytest.warns(UserWarning, match=says):
        assert is_box(read(data))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (facets()[:-20], "it is cut off: its header counts 12 facets, it holds 11"),
        (facets(24), "its header counts 24 facets, it holds 12"),
        (facets(corners=CORNERS[:0]), "holds nothing"),
        (facets(corners=np.where(CORNERS == 4, np.nan, CORNERS)), "not finite"),
        (solid()[:-60], "damaged or cut off: 35 corners in 12 facets"),
        (solid().replace("vertex 2 3 4", "vertex 2 3"), "stands where a number is expected"),
        (solid().replace("vertex 2 3 4", "vertex 2,0 3 4"), "'2,0' stands where a number is expected"),
        (solid().replace("vertex 2 3 4", "vertex nan 3 4"), "not finite"),
        (solid().replace("vertex 2 3 4\n", "", 1).replace("endloop", "vertex 0 0 0 endloop", 1), "not three corners"),
        ("solid a\nendsolid a\nsolid b\nendsolid b\n", "holds nothing"),
    ],
)
def test_stls_that_are_refused_say_why(data, says):
    assert says in refusal(data)


def test_text_stls_are_read_in_pieces(monkeypatch):
    monkeypatch.setattr("coordcodec_sdf.stl._BLOCK", 7)
    assert is_box(read(solid()))


# OFF

POINTS = "".join("{:g} {:g} {:g}\n".format(*v) for v in BOX)
LOOPS = "".join("4 {} {} {} {}\n".format(*q) for q in QUADS)


@pytest.mark.parametrize(
    "text",
    [
        "OFF\n8 6 12\n" + POINTS + LOOPS,
        "OFF 8 6 12\n" + POINTS + LOOPS,
        "OFF8 6 0\n" + POINTS + LOOPS,
        "OFF\n8 6\n" + POINTS + LOOPS,
        "# a\n\nOFF # b\n# c\n8 6 0 # d\n" + (POINTS + LOOPS).replace("\n", " # 1 2 3\n\n"),
        "OFF 8 6 0 " + (POINTS + LOOPS).replace("\n", " "),
        "OFF\n8 7 0\n" + POINTS + LOOPS + "2 0 1\n",
        "NOFF\n8 6 0\n" + POINTS.replace("\n", " 0 0 1\n") + LOOPS,
        "OFF\r8 6 0\r" + (POINTS + LOOPS).replace("\n", "\r"),
        "\xef\xbb\xbfOFF\r\n8 6 0\r\n" + (POINTS + LOOPS).replace("\n", "\r\n"),
        "OFF\n8 6 0\n" + POINTS.replace("2", "2.0E0") + LOOPS.replace(" ", "\t "),
    ],
)
def test_a_box_as_off(text):
    assert is_box(read(text))


@pytest.mark.parametrize(
    "text",
    [
        "COFF\n8 6 0\n" + POINTS.replace("\n", " 255 0 0 255\n") + LOOPS,
        "OFF\n8 6 0\n" + POINTS + LOOPS.replace("\n", " 0.5 0.5 0.5\n"),
        "STCNOFF\n8 6 0\n" + POINTS.replace("\n", " 0 0 1 1 0 0 1 0.5 0.5\n") + LOOPS,
    ],
)
def test_colours_of_an_off_are_told_of(text):
    with pytest.warns(UserWarning, match=PAINTED):
        assert is_box(read(text))


def test_an_off_that_holds_more_than_it_counts_says_so():
    with pytest.warns(UserWarning, match="1 lines behind its 5 faces are not read"):
        read("OFF\n8 5 0\n" + POINTS + LOOPS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("OFF BINARY\n\0\0", "save it as text"),
        ("4OFF\n8 6 0\n" + POINTS + LOOPS, "other dimensions"),
        ("OFF\n8 7 0\n" + POINTS + LOOPS, "it is cut off"),
        ("OFF\n9999999999 1 0\n" + POINTS, "it is cut off"),
        ("COFF\n8 7 0\n" + POINTS + LOOPS, "it is cut off"),
        ("OFF\n-8 6 0\n" + POINTS + LOOPS, "does not begin with how many"),
        ("OFF\n", "does not begin with how many"),
        ("OFF\ninf 6 0\n" + POINTS + LOOPS, "'inf' stands where a whole number"),
        ("OFF\n8 6 0\n" + POINTS.replace("2 3 4", "2 3") + LOOPS, "fewer than three numbers"),
        ("OFF\n8 6 0\n" + POINTS + LOOPS.replace("4 0 3", "7 0 3"), "fewer corners than it declares"),
        ("OFF\n8 6 0\n" + POINTS + LOOPS.replace("4 0 3", "4 99 3"), "one names vertex 99, counted from 0, of 8"),
    ],
)
def test_offs_that_are_refused_say_why(text, says):
    assert says in refusal(text)


# Polygons


def prism(outline, height=2.0):
    """A solid of planar polygons, turned: its vertices, its faces, its volume."""
    outline = np.asarray(outline, float)
    count = len(outline)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    vertices = np.concatenate([np.c_[outline, np.zeros(count)], np.c_[outline, np.full(count, height)]]) @ turn
    sides = [(k, (k + 1) % count, count + (k + 1) % count, count + k) for k in range(count)]
    x, y = outline.T
    area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
    return vertices, [range(count)[::-1], range(count, 2 * count), *sides], area * height


def circle(count, radius=1.0):
    angle = np.arange(count) * 2 * np.pi / count
    return np.c_[np.cos(angle), np.sin(angle)] * np.broadcast_to(radius, count)[:, None]


TEETH = [(x + d, y) for x in range(20) for d, y in ((0, 0.3), (0, 2), (0.5, 2), (0.5, 0.3))]
OUTLINES = {
    "L": [(0, 3), (0, 0), (3, 0), (3, 1), (1, 1), (1, 3)],
    "U": [(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)],
    "hexagon": circle(6),
    "circle": circle(200),
    "star": circle(10, [1, 0.4] * 5),
    "comb": [(0, 0), (20, 0), (20, 0.3), *reversed(TEETH)],
    "with points on its sides": [(0, 0), (1, 0), (2, 0), (3, 0), (3, 2), (2, 2), (1, 2), (0, 2), (0, 1)],
}


@pytest.mark.parametrize("kind", ["obj", "ply", "off"])
@pytest.mark.parametrize("name", OUTLINES)
def test_a_solid_of_planar_polygons_is_what_it_is_and_warns_of_nothing(name, kind):
    vertices, faces, size = prism(OUTLINES[name])
    lines = {"obj": "v {} {} {}\n", "off": "{} {} {}\n"}.get(kind, "").format
    points = "".join(lines(*v) for v in vertices)
    if kind == "obj":
        data = points + "".join("f " + " ".join(str(k + 1) for k in f) + "\n" for f in faces)
    elif kind == "off":
        loops = "".join(f"{len(f)} " + " ".join(map(str, f)) + "\n" for f in faces)
        data = f"OFF\n{len(vertices)} {len(faces)} 0\n{points}{loops}"
    else:
        ply = Ply("binary_little_endian").element("vertex", vertices, x="f8", y="f8", z="f8")
        data = ply.element("face", [(tuple(f),) for f in faces], vertex_indices=("u2", "i4")).bytes()
    data = data.encode() if isinstance(data, str) else data
    solid = SDF.read(io.BytesIO(data), samples=1000).original
    assert solid.surface is solid.mesh
    assert volume(solid.mesh) == pytest.approx(size, rel=1e-6)
    loops = [np.asarray(vertices[list(f)]) for f in faces]
    whole = sum(np.linalg.norm(np.cross(p - p[0], np.roll(p, -1, 0) - p[0]).sum(0)) / 2 for p in loops)
    assert solid.mesh.areas.sum() == pytest.approx(whole, rel=1e-6)  # no triangle folds over another


def test_polygons_with_holes_are_cut_around_them():
    """A plate with a round hole: the outline goes in along a bridge and comes back."""
    hole = circle(24)[::-1]
    points = np.concatenate([[(-2, -2), (2, -2), (2, 2), (-2, 2)], hole])
    inner = [4 + (k + 9) % 24 for k in range(24)]
    loop = np.array([0, 1, 2, 3, *inner, inner[0], 3])
    found = triangles(np.c_[points, np.zeros(28)], Polygons(loop, np.array([len(loop)])))
    a, b, c = (points[found[:, k]] for k in range(3))
    areas = np.cross(np.c_[b - a, np.zeros(len(a))], np.c_[c - a, np.zeros(len(a))])[:, 2] / 2
    assert (areas >= 0).all()
    assert areas.sum() == pytest.approx(16 - 12 * np.sin(np.pi / 12))


def test_polygons_that_cross_themselves_or_are_not_flat_keep_their_outline():
    bow = np.array([(0, 0, 0), (2, 2, 0), (2, 0, 0), (0, 3, 0), (1, 1, 1)], float)
    found = triangles(bow, Polygons(np.arange(5), np.array([5])))
    edges = np.concatenate([found[:, [0, 1]], found[:, [1, 2]], found[:, [2, 0]]]).tolist()
    outline = [e for e in edges if e[::-1] not in edges]
    assert sorted(outline) == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]]


def test_polygons_too_intricate_are_refused_at_once():
    count = 60_000
    star = np.c_[circle(count, np.tile([1.0, 0.5], count // 2)), np.zeros(count)]
    with pytest.raises(SignalError, match="too many corners .* triangulate it first"):
        triangles(star, Polygons(np.arange(count), np.array([count])))


def test_objects_and_groups_cost_nothing():
    part = "".join(
        f"o part{k}\ng a{k}\nusemtl m{k}\nf {1 + k % 8} {1 + (k + 1) % 8} {1 + (k + 3) % 8}\n" for k in range(60_000)
    )
    assert len(read(V + part).faces) == 60_000


# Any boxes, however they are written


@st.composite
def boxes(draw):
    """Some boxes apart from each other: their vertices, their faces of three or four corners, their volume."""
    sizes = draw(st.lists(st.tuples(*[st.integers(1, 40)] * 3), min_size=1, max_size=5))
    vertices, faces, size = [], [], 0
    for k, side in enumerate(sizes):
        vertices.append(BOX / [2, 3, 4] * side + [50 * k, 0, 0])
        size += side[0] * side[1] * side[2]
        for q in QUADS:
            split = draw(st.booleans())
            faces += [tuple(i + 8 * k for i in f) for f in ((q[:3], (q[0], q[2], q[3])) if split else (q,))]
    return np.concatenate(vertices) / 8, faces, size / 512


WAYS = st.fixed_dictionaries(
    {
        "end": st.sampled_from(["\n", "\r", "\r\n", "\n\n"]),
        "blank": st.sampled_from([" ", "\t", "   "]),
        "note": st.sampled_from(["", " # f 1 2 3", "\t#ä"]),
        "corner": st.sampled_from(["{0}", "{1}", "{0}//1", "{1}//-1"]),
        "form": st.sampled_from(sorted(ORDERS)),
        "count": st.sampled_from(["u1", "i1", "u2", "i4"]),
        "index": st.sampled_from(["u1", "u2", "i4", "i8"]),
        "number": st.sampled_from(["f4", "f8"]),
        "number_format": st.sampled_from(["{:g}", "{:.17g}", "{:e}", "{:+.3f}"]),
        "more": st.binary(max_size=9),
    }
)


@settings(max_examples=60, deadline=None)
@given(boxes(), WAYS)
def test_boxes_come_back_from_any_file(found, ways):
    vertices, faces, size = found
    number = ways["number_format"].format
    rows = [[number(x) for x in v] for v in vertices]

    def text(lines):
        return "".join(ways["blank"].join(line) + ways["note"] + ways["end"] for line in lines).encode("latin-1")

    named = [[ways["corner"].format(k + 1, k - len(vertices)) for k in f] for f in faces]
    obj = text([["vn", "0", "0", "1"], *(["v", *r] for r in rows), *(["f", *f] for f in named)])
    off = text([["OFF"], [str(len(rows)), str(len(faces)), "0"], *rows, *([str(len(f)), *map(str, f)] for f in faces)])
    ply = Ply(ways["form"]).element("vertex", vertices, **dict.fromkeys("xyz", ways["number"]))
    ply.element("face", [(f,) for f in faces], vertex_indices=(ways["count"], ways["index"]))
    cut = triangles(vertices, Polygons(np.concatenate(faces), np.array([len(f) for f in faces])))
    end, tail = ways["end"].replace("\n\n", "\n"), ways["more"] if ways["form"] != "ascii" else b""
    written = solid("ä", vertices[cut]).replace(" ", ways["blank"]).replace("\n", ways["end"])
    for data in (obj, off, ply.bytes(end, tail), facets(corners=vertices[cut]) + ways["more"], written):
        mesh = read(data)
        assert volume(mesh) == pytest.approx(size, rel=1e-5)
        assert len(mesh.faces) == 12 * len(vertices) // 8
        assert np.allclose(mesh.bounds, [vertices.min(axis=0), vertices.max(axis=0)], rtol=1e-5)


WHOLE = [
    V + F,
    V + "vn 0 0 1\n" + corners("{1}//-1"),
    box("ascii", MIXED).bytes(),
    box("binary_big_endian", MIXED).bytes(),
]
WHOLE += [facets(), solid(), "COFF\n8 6 0\n" + POINTS.replace("\n", " 1 1 1 1\n") + LOOPS]
WHOLE = [data.encode() if isinstance(data, str) else data for data in WHOLE]
PIECES = [
    b"",
    b"-",
    b"1e999",
    b"nan",
    b"\\\n",
    b"#",
    b"/",
    b"\0",
    b"\r",
    b"facet",
    b"f",
    b"\xff\xff\xff\xff",
    b"9" * 25,
]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(PIECES)), min_size=1, max_size=4),
)
def test_damaged_files_are_refused_in_one_line_or_read(data, wounds):
    for place, length, piece in wounds:
        start = int(place * len(data))
        data = data[:start] + piece + data[start + length :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            mesh = read(data)
        except SignalError as error:
            assert str(error).isprintable()
        else:
            assert np.isfinite(mesh.vertices).all()
            assert mesh.faces.max() < len(mesh.vertices)


def test_what_is_no_mesh_is_told_by_its_contents():
    for data in (bytes(range(256)) * 8, b"hello " * 100, np.random.default_rng(0).bytes(5000), b"\0" * 500):
        assert sniff(data) is None
