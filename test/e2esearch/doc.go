// Package e2esearch holds the tests of forwarding on real servers, those of
// test/search: Elasticsearch 6.4 and 7.10, OpenSearch 2 and 3. They run the built
// program on the logs of internal/fakeapi, of which thousands of lines are
// written in a moment, cause the faults that happen to search servers and to
// ktail, and compare every document in the index with what was written.
//
//	test/search.sh                             set up, start, test, stop
//	test/search/setup.sh                       once; then
//	go test -tags e2e -count=1 -v -parallel 4 -timeout 20m ./test/e2esearch
//
// The tests start and stop the servers by themselves. SERVERS is what they run on:
// names, as test/search knows them, or all; by default the oldest and the newest,
// while the others are upgraded from and to. KTAIL_BIN names another program to
// test.
package e2esearch
