import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/**
 * DynamoDB Local on the loopback address alone, with its databases tuned. It listens on every
 * address of the machine and has no option against that, so its main class is replaced by this
 * one: the same server, with the host of its connectors set before it starts.
 *
 * <p>The .class files beside this one are what runs, since a Java runtime has no compiler. After
 * a change, in this folder, with LOCAL the folder of DynamoDBLocal.jar (FILES are Loopback.java,
 * Databases.java and TimeToLiveDeletionJob.java, the latter in the folder of its package):
 * {@code javac --release 17 -cp "LOCAL/DynamoDBLocal.jar:LOCAL/DynamoDBLocal_lib/*" FILES}
 */
public final class Loopback {
    private Loopback() {}

    public static void main(String[] arguments) throws Exception {
        DynamoDBProxyServer local = ServerRunner.createServerFromCommandLineArgs(arguments);
        for (Connector connector : ((Server) Databases.field(local, "server")).getConnectors()) {
            ((ServerConnector) connector).setHost("127.0.0.1");
        }
        try {
            Object handler = Databases.field(local, "serverHandler");
            Object requests = Databases.field(handler, "primaryHandler");
            Field databases = requests.getClass().getDeclaredField("dbRequestHandlers");
            databases.setAccessible(true);
            databases.set(requests, new Databases());
        } catch (ReflectiveOperationException error) {
            System.out.println("databases are not tuned: " + error);
        }
        local.start();
    }
}
