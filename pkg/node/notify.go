package node

// notifier reports which directories have changed: entries were created,
// removed, or renamed. If it loses events, it says so.
type notifier interface {
	// add watches the directory. It may be called repeatedly, and does nothing
	// if the directory does not exist.
	add(dir string)
	// events receives a value when there are changes. Its capacity is 1.
	events() <-chan struct{}
	// changes returns the directories that have changed since the previous
	// call, and whether the list is complete.
	changes() (dirs []string, complete bool)
	close()
}
