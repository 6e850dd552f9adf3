package cri

// Line is a line of a container, joined from its records.
type Line struct {
	Time int64  // of its first record, in Unix nanoseconds
	Text []byte // without newline
	Cut  bool   // Text is only the beginning of the line
}

// Joiner joins the records of a log into lines. The parts of a line follow each
// other in the file, whatever streams they belong to. The kubelet joins them in
// the same way for the pod log API, so both return the same lines.
type Joiner struct {
	// Max is the number of bytes of a line to keep. 0 means no limit.
	Max int

	line Line // joined so far
	open bool // a line is incomplete
}

// Add adds the next record. It returns a line and true if the record completes
// one. If the line has only one record, its text is that record's text.
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

// Flush returns the parts of an incomplete line as a line, or false if there
// are none. It is called when the log has ended for good, because the last line
// of a container may lack its newline.
func (j *Joiner) Flush() (Line, bool) {
	l, ok := j.line, j.open
	j.line, j.open = Line{}, false
	return l, ok
}

// Pending reports whether a line is incomplete.
func (j *Joiner) Pending() bool { return j.open }
