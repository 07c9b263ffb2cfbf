"""Learn an initialisation from folders of signals: `coordcodec learn-init`.

plan                    what was asked for
tasks, pool             files become tasks, cut as they are when they are compressed; which ones a step gets
state, checkpoint       how far a run is, and how it can go on
stages, codes           learn (inr.maml), collect how large updates usually are
watchdog, curve         notice a run that diverges; draw the learning curve
run                     from the folders to the file
"""
