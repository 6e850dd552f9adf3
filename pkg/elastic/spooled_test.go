package elastic

import (
	"fmt"
	"testing"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
	"github.com/ktail/ktail/pkg/ktail"
)

// packed returns a bulk with one document per text.
func packed(texts ...string) *bulk {
	var p packer
	e := &encoder{}
	s := testStream()
	for i, text := range texts {
		l := ktail.Line{Stream: s, Time: testTime.UnixNano() + int64(i), Text: []byte(text)}
		p.add(&l, readTime, func(dst []byte) []byte { return e.append(dst, &l, readTime) })
	}
	b, _ := p.take()
	return b
}

func TestBulk_SurvivesTheSpool(t *testing.T) {
	want := packed("one", "two", "three")
	want.stream = "logs-ktail-default"
	got, err := fromEntry(want.toEntry())
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", *want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// FuzzFromEntry parses metadata that ktail did not write.
func FuzzFromEntry(f *testing.F) {
	e := packed("one", "two").toEntry()
	f.Add(e.Docs, e.Meta, e.Body)
	f.Add(0, []byte{entryVersion}, []byte{})
	f.Fuzz(func(t *testing.T, docs int, meta, body []byte) {
		b, err := fromEntry(&spool.Entry{Docs: docs, Meta: meta, Body: body})
		if err != nil {
			return
		}
		if len(b.ends) != docs {
			t.Errorf("%d documents, of %d", len(b.ends), docs)
		}
		_ = b.visit(allOf(len(b.ends)), func(int, []byte) {})
	})
}
