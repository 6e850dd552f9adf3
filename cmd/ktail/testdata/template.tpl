{{.Namespace}}:{{.Message}}
