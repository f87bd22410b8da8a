#!/bin/sh
# The walk through DynamoDB Streams and Lambda on LocalStack by hand, with awslocal, as articles
# describe it: table with a stream, zip, function, event source mapping, an item, the output.
# It needs a running engine (./dev.py up). What it makes it leaves there, to look at.
#
# If pipelines.toml has made a table of that name, choose others:
#   TABLE=ArticleTable FUNCTION=ArticleFunction scripts/article.sh
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
TABLE=${TABLE:-UserProfileTable}
FUNCTION=${FUNCTION:-ProcessUserProfileUpdates}
WAIT_S=${WAIT_S:-60}

# Both run in the caller's folder, whose engine they work with.
dev() { PYTHONPATH="$root" "$python" -m streamdev.cli "$@"; }
awslocal() { PYTHONPATH="$root" "$python" -m scripts.tool awslocal "$@"; }
step() { printf '\n== %s\n' "$*"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Nothing that is already there is touched.
in_the_way() {
	echo "$1 exists already. It may be pipelines.toml's: choose another name, for instance" >&2
	echo "  TABLE=ArticleTable FUNCTION=ArticleFunction scripts/article.sh" >&2
	exit 1
}
case " $(awslocal dynamodb list-tables --query 'TableNames[]' --output text | tr '\t\n' '  ') " in
*" $TABLE "*) in_the_way "Table $TABLE" ;;
esac
case " $(awslocal lambda list-functions --query 'Functions[].FunctionName' --output text | tr '\t\n' '  ') " in
*" $FUNCTION "*) in_the_way "Function $FUNCTION" ;;
esac

step "1. A table with a stream"
awslocal dynamodb create-table \
	--table-name "$TABLE" \
	--attribute-definitions AttributeName=id,AttributeType=S \
	--key-schema AttributeName=id,KeyType=HASH \
	--provisioned-throughput ReadCapacityUnits=5,WriteCapacityUnits=5 \
	--stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES
awslocal dynamodb wait table-exists --table-name "$TABLE"

step "2. The function"
cat >"$work/lambda_function.py" <<'PYTHON'
import json


def lambda_handler(event, context):
    print("Received event:", json.dumps(event))
    for record in event["Records"]:
        print("Event ID:", record["eventID"])
        print("Event Name:", record["eventName"])
        print("DynamoDB Record:", json.dumps(record["dynamodb"]))
    return "Successfully processed {} records.".format(len(event["Records"]))
PYTHON
(cd "$work" && "$python" -m zipfile -c function.zip lambda_function.py)
awslocal lambda create-function \
	--function-name "$FUNCTION" \
	--runtime python3.9 \
	--role arn:aws:iam::000000000000:role/lambda-role \
	--handler lambda_function.lambda_handler \
	--zip-file "fileb://$work/function.zip"
awslocal lambda wait function-active-v2 --function-name "$FUNCTION"

step "3. The stream's ARN"
stream_arn=$(awslocal dynamodb describe-table --table-name "$TABLE" \
	--query Table.LatestStreamArn --output text)
echo "$stream_arn"

step "4. The event source mapping"
awslocal lambda create-event-source-mapping \
	--function-name "$FUNCTION" \
	--event-source-arn "$stream_arn" \
	--batch-size 1 \
	--starting-position TRIM_HORIZON

step "5. An item"
awslocal dynamodb put-item \
	--table-name "$TABLE" \
	--item '{"id": {"S": "123"}, "name": {"S": "John Doe"}}'

step "6. What the handler printed, from the engine's log"
# The event names its stream: the lines from there on are this function's.
deadline=$(($(date +%s) + WAIT_S))
until dev logs --raw >"$work/log" && grep -q "^Received event:.*$stream_arn" "$work/log" &&
	sed -n "\|^Received event:.*$stream_arn|,\$p" "$work/log" | grep -q '^DynamoDB Record:'; do
	if [ "$(date +%s)" -gt "$deadline" ]; then
		echo "The handler was not called within $WAIT_S s." >&2
		exit 1
	fi
	sleep 0.2
done
sed -n "\|^Received event:.*$stream_arn|,/^DynamoDB Record:/p" "$work/log"
