import org.codelibs.opensearch.runner.OpenSearchRunner;

/** Runs one OpenSearch node in this process: LaunchOpenSearch DIRECTORY PORT [SETTING=VALUE...]. */
public class LaunchOpenSearch {
    public static void main(String[] args) throws Exception {
        var node = new OpenSearchRunner();
        node.onBuild((number, settings) -> {
            for (int i = 2; i < args.length; i++) {
                var setting = args[i].split("=", 2);
                if (setting[1].contains(",")) {
                    settings.putList(setting[0], setting[1].split(","));
                } else {
                    settings.put(setting[0], setting[1]);
                }
            }
        });
        // The runner numbers its nodes from 1, and adds the number to the base port.
        int port = Integer.parseInt(args[1]);
        node.setMaxHttpPort(port);
        node.build(OpenSearchRunner.newConfigs().basePath(args[0]).clusterName("ktail-test").numOfNode(1).baseHttpPort(port - 1));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        Thread.currentThread().join();
    }
}
