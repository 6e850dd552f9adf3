// Package web shows the lines of a run in a browser.
//
// A Sink keeps the latest lines in memory. A Server answers the requests of the
// page: which lines exist, lines by number, lines that match a filter, and
// counts over time. The page never holds more than what it shows, so its memory
// and CPU do not depend on how much is logged. It polls; nothing is queued for
// a page that is slow, asleep, or closed.
package web
