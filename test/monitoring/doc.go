// Package monitoring tests metrics with a real Prometheus, Alertmanager, and
// Pushgateway, which setup.sh provides: what a server makes of the series while ktail is
// killed, whether alerts fire and reach a receiver, and whether the shipped rules and
// the dashboard are right. ktail reads log files that the tests write, so no cluster is
// needed.
package monitoring
