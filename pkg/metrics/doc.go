// Package metrics turns log lines into Prometheus metrics.
//
// A Rule makes one metric of lines: it selects lines, and defines which of their fields
// become labels and which one is the value. A Sink applies rules to the lines of a run
// and holds the series. Without any rule, it also counts lines, bytes, gaps, and
// terminations of each log.
//
// Series are published in three ways: a Handler answers scrapes, Push sends them to
// a Pushgateway, and WriteFile writes a file in the text format. A counter that a
// Prometheus server has scraped never steps back: with a state file, the series and
// the position in each log are synced to disk together before a scrape is answered,
// so a run that is resumed after a kill continues with exactly what the server saw.
//
// The number of series is bounded. A label value beyond the limit of its metric
// becomes "other", so that sums stay exact.
package metrics
