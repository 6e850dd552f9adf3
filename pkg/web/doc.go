// Package web shows the lines of a run in a browser.
//
// A Sink keeps the latest lines in memory. A Server answers the requests of the
// page: which lines there are, those from a number on, those that match a filter,
// how many there are over time. The page never holds more than what it shows, so
// its memory and its CPU do not depend on how much is logged. It asks again and
// again; nothing is queued for a page that is slow, asleep, or gone.
package web
