"""Learn an initialisation from a folder of signals: `coordcodec learn-init`.

plan            what was asked for
tasks           the folder's signals, cut into parts as they are when they are compressed
run             the stages: learn (inr.maml), settle, fits, write
codes           how large updates usually are, from converged fits
checkpoint      the state of a run, so that it can go on
curve           the learning curve as a picture
"""
