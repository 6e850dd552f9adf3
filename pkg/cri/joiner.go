package cri

// Line is a line of a container, joined from its records.
type Line struct {
	Time int64  // of its first record, in Unix nanoseconds
	Text []byte // without newline
	Cut  bool   // Text is only the beginning of the line
}

// Joiner joins the records of a log to lines. The parts of a line follow each
// other in the file, whatever their streams: this is how the kubelet joins them
// for the pod log API, so that both give the same lines.
type Joiner struct {
	// Max is the number of bytes of a line to keep; 0 means no limit.
	Max int

	line Line // joined so far
	open bool // a line has begun
}

// Add adds the next record. It returns a line and true if the record completes
// one. The text of a line of one record is that of the record.
func (j *Joiner) Add(r *Record) (Line, bool) {
	if !j.open && !r.Partial {
		l := Line{Time: r.Time, Text: r.Text}
		if j.Max > 0 && len(l.Text) > j.Max {
			l.Text, l.Cut = l.Text[:j.Max:j.Max], true
		}
		return l, true
	}
	if !j.open {
		j.open, j.line.Time = true, r.Time
	}
	text := r.Text
	if j.Max > 0 && len(j.line.Text)+len(text) > j.Max {
		text, j.line.Cut = text[:j.Max-len(j.line.Text)], true
	}
	j.line.Text = append(j.line.Text, text...)
	if r.Partial {
		return Line{}, false
	}
	return j.Flush()
}

// Flush returns the parts that were added of a line that is not complete, as a
// line; false if there are none. It is called where the log ends for good: the
// last line of a container may lack its newline.
func (j *Joiner) Flush() (Line, bool) {
	l, ok := j.line, j.open
	j.line, j.open = Line{}, false
	return l, ok
}

// Pending reports whether a line has begun and is not complete.
func (j *Joiner) Pending() bool { return j.open }
