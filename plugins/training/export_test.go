package training

// Shorten limits the runs by which what is trained is judged.
func (l *Lesson) Shorten(intervals int) { l.trial.Shorten(intervals) }
