package sourcetest_test

import (
	"testing"

	"github.com/ktail/ktail/internal/sourcetest"
	"github.com/ktail/ktail/pkg/ktail"
)

func TestLog_SatisfiesSourceContract(t *testing.T) {
	sourcetest.Run(t, func(*testing.T) sourcetest.Subject {
		l := sourcetest.NewLog(&ktail.Stream{Namespace: "ns", Pod: "pod", PodUID: "1", Container: "c"})
		return sourcetest.Subject{Source: l, Write: l.Write, Cut: l.Cut, End: l.End}
	})
}
