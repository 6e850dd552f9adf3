import org.codelibs.elasticsearch.runner.ElasticsearchClusterRunner;

/** Runs one Elasticsearch node in this process: LaunchElasticsearch DIRECTORY PORT [SETTING=VALUE...]. */
public class LaunchElasticsearch {
    public static void main(String[] args) throws Exception {
        var node = new ElasticsearchClusterRunner();
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
        node.build(ElasticsearchClusterRunner.newConfigs().basePath(args[0]).clusterName("ktail-test").numOfNode(1).baseHttpPort(port - 1));
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
