package software.amazon.dynamodb.services.local.shared.jobs;

import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.ScanRequest;
import software.amazon.awssdk.services.dynamodb.model.ScanResponse;
import software.amazon.dynamodb.services.local.shared.access.LocalDBAccess;
import software.amazon.dynamodb.services.local.shared.access.LocalDBInputConverter;
import software.amazon.dynamodb.services.local.shared.access.LocalDBUtils;
import software.amazon.dynamodb.services.local.shared.access.TableInfo;
import software.amazon.dynamodb.services.local.shared.access.sqlite.TableSchemaInfo;

/**
 * Deletes the expired items of one table, in place of DynamoDB Local's own class of this name: the
 * class path has this one first.
 *
 * <p>DynamoDB Local's looks at 20 items in ten seconds, and never ends: each table with a time to
 * live holds one of the ten threads that an account and region has for all its jobs, so the eighth
 * such table is never looked at, indexes are not made any more and shards not closed. This one
 * goes through the whole table and ends. DynamoDB Local schedules it again within a second; it
 * then does nothing until the pause is over, ten seconds or twenty times as long as it searched.
 *
 * <p>As on AWS, what expired more than five years ago stays. Loopback.java tells how to compile.
 */
public class TimeToLiveDeletionJob extends NamedJob {
    private static final int YEARS = 5;
    private static final int PAGE = 200;
    private static final int LOCK_TIMEOUT_S = 10;
    private static final long PAUSE_MS = 10_000;
    private static final int PAUSE_FACTOR = 20;

    /** When a table may be looked at again (milliseconds of the monotonic clock), by its jobs. */
    private static final Map<JobsRegister, Map<String, Long>> NEXT = new ConcurrentHashMap<>();

    private final String table;
    private final String attribute;
    private final DynamoDbClient client;
    private final LocalDBInputConverter converter;
    private final LocalDBAccess access;

    public TimeToLiveDeletionJob(
            String table,
            TableSchemaInfo schema,
            String attribute,
            DynamoDbClient client,
            LocalDBInputConverter converter,
            LocalDBAccess access,
            JobsRegister jobs) {
        super(jobs);
        this.table = table;
        this.attribute = attribute;
        this.client = client;
        this.converter = converter;
        this.access = access;
    }

    /** The name under which a table's job is registered while it runs. */
    public static String jobName(String table, String attribute) {
        return LocalDBUtils.getTimeToLiveThreadName(table, attribute);
    }

    @Override
    public String name() {
        return jobName(table, attribute);
    }

    @Override
    public void cancel() {}

    @Override
    protected void doJob() {
        Map<String, Long> next = NEXT.computeIfAbsent(jobs, key -> new ConcurrentHashMap<>());
        Long due = next.get(name());
        if (due != null && now() < due) {
            return;
        }
        long pause = PAUSE_MS;
        try {
            Page page = new Page();
            do {
                page.execute();
            } while (!page.start.isEmpty());
            pause = Math.max(PAUSE_MS, PAUSE_FACTOR * page.searched);
        } catch (RuntimeException error) {
            // A job that failed would stay registered, and its table never be looked at again.
            System.out.println("expired items of " + table + ": " + error);
        }
        next.put(name(), now() + pause);
    }

    private static long now() {
        return System.nanoTime() / 1_000_000;
    }

    /** A part of the table, with its expired items deleted; nobody else writes meanwhile. */
    private final class Page extends LocalDBAccess.WriteLockWithTimeout {
        private Map<String, AttributeValue> start = Map.of();
        private long searched = 0;

        Page() {
            super(access.getLockForTable(table), LOCK_TIMEOUT_S);
        }

        @Override
        public void criticalSection() {
            TableInfo info = access.getTableInfo(table);
            if (info == null
                    || info.getTimeToLiveSpecification() == null
                    || !info.getTimeToLiveSpecification().enabled()) {
                start = Map.of();
                return;
            }
            long began = now();
            ScanResponse found = client.scan(request());
            searched += now() - began;
            for (Map<String, AttributeValue> item : found.items()) {
                Map<String, AttributeValue> key = new HashMap<>();
                for (String name : info.getBaseTableKeyNames()) {
                    key.put(name, item.get(name));
                }
                access.deleteRecord(table, converter.externalToInternalAttributes(key), true);
            }
            start = found.lastEvaluatedKey();
        }

        private ScanRequest request() {
            ZonedDateTime now = ZonedDateTime.now(ZoneOffset.UTC);
            ScanRequest.Builder request =
                    ScanRequest.builder()
                            .tableName(table)
                            .limit(PAGE)
                            .filterExpression("#ttl BETWEEN :oldest AND :now")
                            .expressionAttributeNames(Map.of("#ttl", attribute))
                            .expressionAttributeValues(
                                    Map.of(
                                            ":oldest", seconds(now.minusYears(YEARS)),
                                            ":now", seconds(now)));
            return start.isEmpty()
                    ? request.build()
                    : request.exclusiveStartKey(start).build();
        }

        private AttributeValue seconds(ZonedDateTime moment) {
            return AttributeValue.builder().n(Long.toString(moment.toEpochSecond())).build();
        }
    }
}
