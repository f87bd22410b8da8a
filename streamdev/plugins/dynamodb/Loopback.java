import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/**
 * DynamoDB Local on the loopback address alone. It listens on every address of the machine and
 * has no option against that, so its main class is replaced by this one: the same server, with
 * the host of its connectors set before it starts.
 *
 * <p>Loopback.class beside this file is what runs, since a Java runtime has no compiler. After
 * a change, in this folder, with LOCAL the folder of DynamoDBLocal.jar (the other file is
 * TimeToLiveDeletionJob.java, in the folder of its package):
 * {@code javac --release 17 -cp "LOCAL/DynamoDBLocal.jar:LOCAL/DynamoDBLocal_lib/*" FILE.java}
 */
public final class Loopback {
    private Loopback() {}

    public static void main(String[] arguments) throws Exception {
        DynamoDBProxyServer local = ServerRunner.createServerFromCommandLineArgs(arguments);
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        for (Connector connector : ((Server) field.get(local)).getConnectors()) {
            ((ServerConnector) connector).setHost("127.0.0.1");
        }
        local.start();
    }
}
