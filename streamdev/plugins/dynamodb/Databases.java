import com.almworks.sqlite4java.SQLiteConnection;
import com.almworks.sqlite4java.SQLiteException;
import com.almworks.sqlite4java.SQLiteJob;
import com.almworks.sqlite4java.SQLiteQueue;
import java.io.File;
import java.lang.reflect.Field;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import software.amazon.dynamodb.services.local.shared.access.AmazonDynamoDBLocal;

/**
 * What DynamoDB Local keeps its databases in, one for each account and region: each is tuned when
 * it is opened, on its own connection, before the first call reaches it.
 *
 * <p>With SQLite's write-ahead log a write appends to one file, where by default it writes and
 * syncs two. What was written still survives a kill of the process, and the file stays whole when
 * the machine goes down. SQLite would write the log back into the database by itself, but DynamoDB
 * Local leaves statements open when it commits, which forbids that; between its jobs it is
 * possible. The indexes are those of files.py, which tells why.
 */
final class Databases extends ConcurrentHashMap<String, AmazonDynamoDBLocal> {
    private static final long serialVersionUID = 1L;
    private static final long LOG_LIMIT = 4 << 20;
    private static final long LOOK_EVERY_MS = 500;
    private static final String CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)";
    private static final String[] TUNING = {
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA wal_autocheckpoint = 0",
        "PRAGMA journal_size_limit = 0",
        "CREATE INDEX IF NOT EXISTS streamdev_us_stream ON us(StreamID)",
        "CREATE INDEX IF NOT EXISTS streamdev_us_shard ON us(ShardID)",
    };

    private final transient ScheduledExecutorService timer =
            Executors.newSingleThreadScheduledExecutor(
                    work -> {
                        Thread thread = new Thread(work, "streamdev-checkpoints");
                        thread.setDaemon(true);
                        return thread;
                    });

    @Override
    public AmazonDynamoDBLocal put(String name, AmazonDynamoDBLocal database) {
        try {
            SQLiteQueue queue = (SQLiteQueue) field(field(database, "dbAccess"), "queue");
            queue.execute(new Statements(TUNING)).get();
            if (queue.getDatabaseFile() != null) {
                keepLogShort(queue);
            }
        } catch (Exception error) {
            // It works without, only slower.
            System.out.println("database " + name + " is not tuned: " + error);
        }
        return super.put(name, database);
    }

    private void keepLogShort(SQLiteQueue queue) {
        File log = new File(queue.getDatabaseFile().getPath() + "-wal");
        AtomicLong written = new AtomicLong();
        timer.scheduleWithFixedDelay(
                () -> {
                    long last = log.lastModified();
                    // The file becomes shorter only at the next write.
                    if (log.length() > LOG_LIMIT && written.getAndSet(last) != last) {
                        queue.execute(new Statements(CHECKPOINT));
                    }
                },
                LOOK_EVERY_MS,
                LOOK_EVERY_MS,
                TimeUnit.MILLISECONDS);
        // The database file alone is whole after a graceful end.
        Runtime.getRuntime()
                .addShutdownHook(
                        new Thread(() -> queue.execute(new Statements(CHECKPOINT)).complete()));
    }

    /** The value of a field that its class keeps to itself. */
    static Object field(Object owner, String name) throws ReflectiveOperationException {
        for (Class<?> type = owner.getClass(); type != null; type = type.getSuperclass()) {
            for (Field field : type.getDeclaredFields()) {
                if (field.getName().equals(name)) {
                    field.setAccessible(true);
                    return field.get(owner);
                }
            }
        }
        throw new NoSuchFieldException(owner.getClass() + "." + name);
    }

    /** Statements for their effect, in the database's own thread, between two of its jobs. */
    private static final class Statements extends SQLiteJob<Void> {
        private final String[] statements;

        Statements(String... statements) {
            this.statements = statements;
        }

        @Override
        protected Void job(SQLiteConnection connection) throws SQLiteException {
            for (String statement : statements) {
                connection.exec(statement);
            }
            return null;
        }
    }
}
