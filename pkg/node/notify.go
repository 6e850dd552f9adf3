package node

// notifier reports which directories have changed: entries were created, removed, or
// renamed. It may lose events, but not without a sign of it.
type notifier interface {
	// add watches the directory. It may be called again, and does nothing for one that
	// does not exist.
	add(dir string)
	// events has a value when there are changes. Its capacity is 1.
	events() <-chan struct{}
	// changes returns the directories that have changed since the last call, and
	// whether these are all.
	changes() (dirs []string, complete bool)
	close()
}
