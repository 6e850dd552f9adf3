//go:build stern && unix

package main

// base makes ktail end by itself and print only lines.
const base = " --no-follow --only-log-lines --color never "

const sternInput = "plain line\n{\"level\":\"info\",\"ts\":1700000000.25,\"msg\":\"hello\"}\n<b> & \"quoted\"\tend"

// sternLineCases test which lines are kept, and how they look.
var sternLineCases = []sternCase{
	// which
	{args: "web" + base + "-i line␠1"},
	{args: "web" + base + "-i line␠1 -i line␠2 -e 2"},
	{args: "web" + base + "--include line --exclude 1 --exclude 3"},
	{args: "web" + base + "-e 1,2"},
	{args: "web" + base + "-i ^web-1␠line␠[12]$ -i (?i)LINE␠3"},
	{args: "web" + base + "-i ^line"},
	{args: "web" + base + "-H line"},
	{args: "web" + base + "-i ("},
	{args: "web" + base + "-e ["},
	{args: "web" + base + "-H *"},

	// outputs
	{args: "web" + base + "-o default"},
	{args: "formats" + base},
	{args: "formats" + base + "-o raw"},
	{args: "formats" + base + "-o json"},
	{args: "formats" + base + "-o extjson"},
	{args: "formats" + base + "-o ppextjson"},
	{args: "web -A" + base + "-o raw"},
	{args: "web -A" + base + "-o json"},
	{args: "web -A" + base + "-o extjson"},
	{args: "web -A" + base + "-o ppextjson"},
	{args: "web -n default,other" + base + "-o extjson"},
	{args: "web" + base + "-o xml"},

	// times
	{args: "web" + base + "-t --timezone UTC"},
	{args: "web" + base + "--timestamps --timezone Asia/Tokyo"},
	{args: "web" + base + "-t=short --timezone Asia/Kolkata"},
	{args: "web" + base + "--timestamps=default"},
	{args: "web" + base + "-t --timezone America/New_York -o raw"},
	{args: "web" + base + "-t=long"},
	{args: "web" + base + "-t --timezone Mars/Olympus"},
	{args: "web" + base + "-t --timezone UTC -i line␠2"},
	{
		args: "web" + base + "-t --timezone UTC -o json", want: `"message":"web-1 line 1".*"timestamp":"2`,
		better: "the message stays the message, and the time has a key of its own, as in stern from v1.35 on",
	},
	{
		args: "formats" + base + "-t --timezone UTC -o extjson", want: `"timestamp": "2[^"]*", "message": \{"level"`,
		better: "a message that is JSON stays embedded, and the time has a key of its own",
	},
	{
		args: "formats" + base + "-t --timezone UTC --template {{tryExtractJSONParts␠.Message␠\"level\"}}|", want: `error\|`,
		better: "the message of a template stays the message, as in stern from v1.35 on",
	},

	// colors
	{args: "web --no-follow --only-log-lines --color always"},
	{args: "web --no-follow --color always"},
	{args: "web -A --no-follow --color always"},
	{args: "web --no-follow --only-log-lines --color always -d"},
	{args: "web --no-follow --only-log-lines --color always --pod-colors 91,92,93"},
	{args: "web --no-follow --only-log-lines --color always --pod-colors 38;2;255;97;136,38;2;169;220;118"},
	{args: "web --no-follow --only-log-lines --color always --pod-colors 32,33 --container-colors 32;4,33;4"},
	{args: "web api --no-follow --only-log-lines --color always --pod-colors 32,33 --diff-container", want: "api-1",
		better: "several queries select pods that match any of them"},
	{args: "web" + base + "--pod-colors 32,33 --container-colors 32"},
	{args: "web" + base + "--container-colors 32"},
	{args: "web" + base + "--pod-colors red"},
	{args: "web --no-follow --only-log-lines --color always -o raw"},
	{args: "web --no-follow --only-log-lines --color always -o extjson"},
	{args: "web -A --no-follow --only-log-lines --color always -o ppextjson"},
	{args: "web --no-follow --only-log-lines --color always -o json"},
	{args: "web --no-follow --only-log-lines --color always -H line␠2"},
	{args: "web --no-follow --only-log-lines --color always -H line␠1 --highlight line␠3"},
	{args: "web --no-follow --only-log-lines --color always -i line␠2"},
	{args: "web --no-follow --only-log-lines --color always -i line␠2 -H 1 -o raw"},
	{args: "web --no-follow --only-log-lines --color sometimes"},
	{
		args: "web --no-follow --only-log-lines --color always -H web", want: "^\x1b\\[93mweb-1",
		better: "a highlight is in the message only, so the color of the pod's name is not interrupted",
	},
	{
		args: "web --no-follow --only-log-lines --color always -o json -H line", want: `\{"message":"web-1 line 1"`,
		better: "JSON stays valid",
	},
	{
		args: "colored --no-follow --only-log-lines --color always -H \\d", want: "\x1b\\[32mgreen \x1b\\[31;1m3\x1b\\[0;22m\x1b\\[32m\x1b\\[31;1m1\x1b\\[0;22m\x1b\\[32m more\x1b\\[0m",
		better: "color sequences in a message are not highlighted, and its color continues after a highlight",
	},
	{
		args: "formats --no-follow --only-log-lines --color always", want: "\x1b\\[31merror\x1b\\[0m",
		better: "levels have a color",
	},
	{args: "formats --no-follow --only-log-lines --color always -o raw"},

	// templates
	{args: "web" + base + "--template {{.PodName}}/{{.ContainerName}}␠{{.Message}}{{\"\\n\"}}"},
	{args: "web -c nginx" + base + "--template {{.Message}}|"},
	{args: "web -A" + base + "--template {{printf␠\"%s␠(%s/%s/%s/%s)\\n\"␠.Message␠.NodeName␠.Namespace␠.PodName␠.ContainerName}}"},
	{args: "web" + base + "--template {{json␠.}}{{\"\\n\"}}"},
	{args: "web" + base + "--template {{json␠.Labels}}{{.Annotations}}{{\"\\n\"}}"},
	{args: "web" + base + "-T template.tpl"},
	{args: "web" + base + "-T template.tpl --template x -o json"},
	{args: "web" + base + "--template {{.Message}}{{\"\\n\"}} -o json"},
	{args: "web" + base + "-T missing.tpl"},
	{args: "web" + base + "--template {{.Message"},
	{args: "web" + base + "--template {{nothing␠.Message}}"},
	{args: "web" + base + "--template {{.Nothing}}"},
	{args: "formats" + base + "--template {{with␠$d:=.Message|parseJSON}}[{{$d.level}}]␠{{$d.msg}}{{end}}{{\"\\n\"}}"},
	{args: "formats" + base + "--template {{with␠$d:=tryParseJSON␠.Message}}{{$d.ts}}␠{{levelColor␠$d.level}}{{else}}{{.Message}}{{end}}{{\"\\n\"}}"},
	{args: "formats" + base + "--template {{extractJSONParts␠.Message␠\"level\"␠\"msg\"}}{{\"\\n\"}}"},
	{args: "formats" + base + "--template {{tryExtractJSONParts␠.Message␠\"level\"␠\"none\"}}{{\"\\n\"}}"},
	{args: "formats" + base + "--template {{extjson␠.Message}}{{\"\\n\"}}"},
	{args: "formats" + base + "--template {{prettyJSON␠.Message}}{{\"\\n\"}}"},
	{args: "formats" + base + "--template {{with␠$d:=tryParseJSON␠.Message}}{{prettyJSON␠$d}}{{end}}"},
	{args: "formats" + base + "--template {{with␠$d:=tryParseJSON␠.Message}}{{toRFC3339Nano␠$d.ts}}{{end}}|"},
	{args: "formats" + base + "--template {{with␠$d:=tryParseJSON␠.Message}}{{toUTC␠$d.ts}}{{end}}|"},
	{args: "formats" + base + "--template {{with␠$d:=tryParseJSON␠.Message}}{{toTimestamp␠$d.ts␠\"15:04:05.000\"␠\"Asia/Tokyo\"}}{{end}}|"},
	{args: "formats --no-follow --only-log-lines --color always --template {{with␠$d:=tryParseJSON␠.Message}}{{levelColor␠$d.level}}{{bunyanLevelColor␠$d.n}}{{end}}{{\"\\n\"}}"},
	{args: "web --no-follow --only-log-lines --color always --template {{color␠.PodColor␠.PodName}}{{color␠.ContainerColor␠\"x\"}}{{colorRed␠.Message}}{{colorCustom␠\"Hi\"␠3␠96}}{{\"\\n\"}}"},
	{args: "web" + base + "--template {{color␠.PodColor␠.PodName}}{{colorBlack␠\"a\"}}{{colorWhite␠\"%d\"␠7}}{{colorGreen␠\"100%\"}}{{\"\\n\"}}"},
	{args: "web --no-follow --only-log-lines --color always --template {{colorBlack␠\"a\"}}{{colorGreen␠\"b\"}}{{colorYellow␠\"c\"}}{{colorBlue␠\"d\"}}{{colorMagenta␠\"e\"}}{{colorCyan␠\"f\"}}{{colorWhite␠\"%d%%\"␠7}}{{\"\\n\"}}"},
	{
		args: "formats" + base + "--template {{with␠$d:=parseJSON␠.Message}}{{toRFC3339Nano␠$d.ts}}{{end}}|", want: `2023-11-14T22:13:20.25Z\|`,
		better: "seconds that parseJSON converted to a float64 are a time as well",
	},

	// stdin
	{args: "--stdin --color never", stdin: sternInput},
	{args: "--stdin --color never -o raw", stdin: sternInput},
	{args: "--stdin --color never -o json", stdin: sternInput},
	{args: "--stdin --color never -o extjson", stdin: sternInput},
	{args: "--stdin --color never -o ppextjson", stdin: sternInput},
	{args: "--stdin --color never -o raw -i line -e hello", stdin: sternInput},
	{args: "--stdin --color never -t -o raw", stdin: sternInput},
	{args: "--stdin --color always -o raw -H hello", stdin: sternInput},
	{args: "--stdin --color never --template {{.PodName}}{{tryExtractJSONParts␠.Message␠\"msg\"}}|", stdin: sternInput},
	{args: "--stdin --color never --template {{with␠parseJSON␠.Message}}{{.msg}}{{end}}|", stdin: sternInput},
	{args: "--stdin --color never", stdin: ""},
	{args: "--stdin --color never -o raw", stdin: "\n\nx\r\n"},
	{
		args: "--stdin --color always", stdin: "x\n", want: "^  x\n$",
		better: "lines without a name are not colored",
	},
	{
		args: "--stdin --kubeconfig missing -o raw", stdin: "x\n", want: "^x\n$",
		better: "lines from stdin need no cluster",
	},
}
