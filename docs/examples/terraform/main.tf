# Made from pipelines.toml by streamdev's command export: edit that file and export again
# (export terraform --force); export --check tells whether both still agree.

data "aws_partition" "current" {}

data "aws_region" "current" {}

# Pipeline user-profile
resource "aws_dynamodb_table" "user_profile" {
  name             = "UserProfileTable${var.name_suffix}"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "id"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  # AWS refuses to delete it, with its items, while this is true.
  deletion_protection_enabled = var.keep_data

  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_dynamodb_table" "user_profile_idempotency" {
  name                        = "UserProfileIdempotency${var.name_suffix}"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = var.keep_data

  attribute {
    name = "id"
    type = "S"
  }

  # AWS deletes expired items within a few days, not at once: readers look at it too.
  ttl {
    attribute_name = "expiration"
    enabled        = true
  }
}

resource "aws_dynamodb_table" "user_profile_versions" {
  name                        = "UserProfileVersions${var.name_suffix}"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = var.keep_data

  attribute {
    name = "id"
    type = "S"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }
}

resource "aws_sqs_queue" "profile_updates_failed" {
  name = "profile-updates-failed${var.name_suffix}"
}

resource "aws_sns_topic" "profile_updates" {
  name = "profile-updates${var.name_suffix}"
}

resource "aws_sqs_queue" "profile_updates_seen" {
  name = "profile-updates-seen${var.name_suffix}"
}

resource "aws_sns_topic_subscription" "profile_updates_to_profile_updates_seen" {
  topic_arn = aws_sns_topic.profile_updates.arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.profile_updates_seen.arn
}

resource "aws_sqs_queue_policy" "profile_updates_seen" {
  queue_url = aws_sqs_queue.profile_updates_seen.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "TopicsMaySend"
        Effect = "Allow"
        Principal = {
          Service = "sns.amazonaws.com"
        }
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.profile_updates_seen.arn
        Condition = {
          ArnEquals = {
            "aws:SourceArn" = [aws_sns_topic.profile_updates.arn]
          }
        }
      },
    ]
  })
}

# Only on AWS are roles enforced: what is not allowed here fails there.
resource "aws_iam_role" "user_profile" {
  name_prefix = "user-profile-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "user_profile" {
  name = "streamdev"
  role = aws_iam_role.user_profile.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadStream"
        Effect = "Allow"
        Action = [
          "dynamodb:DescribeStream",
          "dynamodb:GetRecords",
          "dynamodb:GetShardIterator",
          "dynamodb:ListStreams",
        ]
        Resource = "${aws_dynamodb_table.user_profile.arn}/stream/*"
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.user_profile.arn}:*"
      },
      {
        Sid      = "TellFailures"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = aws_sqs_queue.profile_updates_failed.arn
      },
      {
        Sid    = "UseTables1"
        Effect = "Allow"
        Action = [
          "dynamodb:DeleteItem",
          "dynamodb:GetItem",
          "dynamodb:PutItem",
          "dynamodb:UpdateItem",
        ]
        Resource = aws_dynamodb_table.user_profile_idempotency.arn
      },
      {
        Sid      = "UseTables2"
        Effect   = "Allow"
        Action   = ["dynamodb:UpdateItem"]
        Resource = aws_dynamodb_table.user_profile_versions.arn
      },
      {
        Sid      = "Notify"
        Effect   = "Allow"
        Action   = ["sns:Publish"]
        Resource = aws_sns_topic.profile_updates.arn
      },
      {
        Sid      = "Trace"
        Effect   = "Allow"
        Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
        Resource = "*"
      },
    ]
  })
}

resource "aws_cloudwatch_log_group" "user_profile" {
  name              = "/aws/lambda/user-profile${var.name_suffix}"
  retention_in_days = var.log_retention_in_days
}

data "archive_file" "user_profile" {
  type             = "zip"
  source_dir       = "${path.module}/../../../lambda_src/user_profile"
  excludes         = ["**/__pycache__/**", "**/*.pyc", "**/.venv/**", "**/.*_cache/**"]
  output_file_mode = "0755"
  output_path      = "${path.module}/build/user-profile/function.zip"
}

# What requirements.txt names, as AWS's Linux needs it. Terraform fetches nothing: before
# the first plan, and when requirements.txt has changed, empty build/user-profile/requirements and
#   pip install --requirement ../../../lambda_src/user_profile/requirements.txt \
#     --target build/user-profile/requirements/python --python-version 3.13 \
#     --platform manylinux2014_x86_64 --only-binary :all:
data "archive_file" "user_profile_requirements" {
  type             = "zip"
  source_dir       = "${path.module}/build/user-profile/requirements"
  excludes         = ["**/__pycache__/**", "**/*.pyc"]
  output_file_mode = "0755"
  output_path      = "${path.module}/build/user-profile/requirements.zip"
}

resource "aws_lambda_layer_version" "user_profile_requirements" {
  layer_name          = "user-profile-requirements${var.name_suffix}"
  filename            = data.archive_file.user_profile_requirements.output_path
  source_code_hash    = data.archive_file.user_profile_requirements.output_base64sha256
  compatible_runtimes = ["python3.13"]
}

resource "aws_lambda_function" "user_profile" {
  function_name    = "user-profile${var.name_suffix}"
  filename         = data.archive_file.user_profile.output_path
  source_code_hash = data.archive_file.user_profile.output_base64sha256
  layers           = [aws_lambda_layer_version.user_profile_requirements.arn]
  handler          = "handler.lambda_handler"
  runtime          = "python3.13"
  memory_size      = 256
  timeout          = 30
  role             = aws_iam_role.user_profile.arn

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.user_profile.name
  }

  tracing_config {
    mode = "Active"
  }

  environment {
    variables = {
      IDEMPOTENCY_TABLE         = aws_dynamodb_table.user_profile_idempotency.name
      VERSIONS_TABLE            = aws_dynamodb_table.user_profile_versions.name
      PROFILE_UPDATES_TOPIC_ARN = aws_sns_topic.profile_updates.arn
    }
  }
}

# AWS splits a busy stream into shards: order holds for each item, not for all.
resource "aws_lambda_event_source_mapping" "user_profile" {
  event_source_arn                   = aws_dynamodb_table.user_profile.stream_arn
  function_name                      = aws_lambda_function.user_profile.arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = 1
  maximum_batching_window_in_seconds = 0
  parallelization_factor             = 1
  tumbling_window_in_seconds         = 0
  maximum_retry_attempts             = 8
  maximum_record_age_in_seconds      = 43200
  bisect_batch_on_function_error     = true
  enabled                            = true
  function_response_types            = ["ReportBatchItemFailures"]

  # AWS takes the mapping once the role may read the stream.
  depends_on = [aws_iam_role_policy.user_profile]

  # A letter tells where in the stream a batch was; its records stay there for a day.
  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.profile_updates_failed.arn
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "user_profile_iterator_age" {
  alarm_name        = "user-profile-iterator-age${var.name_suffix}"
  alarm_description = "user-profile is behind its stream, and loses records that become too old."
  namespace         = "AWS/Lambda"
  metric_name       = "IteratorAge"

  dimensions = {
    FunctionName = aws_lambda_function.user_profile.function_name
  }

  statistic          = "Maximum"
  period             = 60
  evaluation_periods = 5

  # Milliseconds.
  threshold = 3600000

  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "profile_updates_failed_dead_letters" {
  alarm_name        = "profile-updates-failed-dead-letters${var.name_suffix}"
  alarm_description = "profile-updates-failed has letters. Their records stay in the stream for a day."
  namespace         = "AWS/SQS"
  metric_name       = "ApproximateNumberOfMessagesVisible"

  dimensions = {
    QueueName = aws_sqs_queue.profile_updates_failed.name
  }

  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}

# Pipeline async-request
resource "aws_dynamodb_table" "restaurant" {
  name                        = "Restaurant${var.name_suffix}"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  stream_enabled              = true
  stream_view_type            = "NEW_IMAGE"
  deletion_protection_enabled = var.keep_data

  attribute {
    name = "id"
    type = "S"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }
}

resource "aws_iam_role" "async_request" {
  name_prefix = "async-request-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "async_request" {
  name = "streamdev"
  role = aws_iam_role.async_request.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadStream"
        Effect = "Allow"
        Action = [
          "dynamodb:DescribeStream",
          "dynamodb:GetRecords",
          "dynamodb:GetShardIterator",
          "dynamodb:ListStreams",
        ]
        Resource = "${aws_dynamodb_table.restaurant.arn}/stream/*"
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.async_request.arn}:*"
      },
      {
        Sid      = "UseStreamTable"
        Effect   = "Allow"
        Action   = ["dynamodb:UpdateItem"]
        Resource = aws_dynamodb_table.restaurant.arn
      },
    ]
  })
}

resource "aws_cloudwatch_log_group" "async_request" {
  name              = "/aws/lambda/async-request${var.name_suffix}"
  retention_in_days = var.log_retention_in_days
}

data "archive_file" "async_request" {
  type             = "zip"
  source_dir       = "${path.module}/../../../lambda_src/async_request"
  excludes         = ["**/__pycache__/**", "**/*.pyc", "**/.venv/**", "**/.*_cache/**"]
  output_file_mode = "0755"
  output_path      = "${path.module}/build/async-request/function.zip"
}

resource "aws_lambda_function" "async_request" {
  function_name    = "async-request${var.name_suffix}"
  filename         = data.archive_file.async_request.output_path
  source_code_hash = data.archive_file.async_request.output_base64sha256
  handler          = "handler.lambda_handler"
  runtime          = "python3.13"
  memory_size      = 128
  timeout          = 30
  role             = aws_iam_role.async_request.arn

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.async_request.name
  }
}

resource "aws_lambda_event_source_mapping" "async_request" {
  event_source_arn                   = aws_dynamodb_table.restaurant.stream_arn
  function_name                      = aws_lambda_function.async_request.arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = 10
  maximum_batching_window_in_seconds = 0
  parallelization_factor             = 1
  tumbling_window_in_seconds         = 0
  maximum_retry_attempts             = -1
  maximum_record_age_in_seconds      = -1
  bisect_batch_on_function_error     = false
  enabled                            = true
  function_response_types            = ["ReportBatchItemFailures"]
  depends_on                         = [aws_iam_role_policy.async_request]

  filter_criteria {
    filter {
      pattern = jsonencode({
        eventName = ["INSERT"]
      })
    }
  }
}

# API Gateway calls DynamoDB with this role.
resource "aws_iam_role" "async_request_api" {
  name_prefix = "async-request-api-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "apigateway.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "async_request_api" {
  name = "streamdev"
  role = aws_iam_role.async_request_api.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "CallTable"
        Effect   = "Allow"
        Action   = ["dynamodb:GetItem", "dynamodb:PutItem"]
        Resource = aws_dynamodb_table.restaurant.arn
      },
    ]
  })
}

resource "aws_api_gateway_rest_api" "async_request" {
  name = "async-request${var.name_suffix}"

  # Anyone who knows the URL can call it, on AWS too: add an authorizer, an API key or a
  # resource policy where that is not meant. AWS takes bodies of up to 10 MB.
  body = jsonencode({
    openapi = "3.0.1"
    info = {
      title   = "async-request${var.name_suffix}"
      version = "1.0"
    }
    paths = {
      "/requests" = {
        put = {
          responses = {
            "202" = {
              description = "Accepted"
            }
            "400" = {
              description = "Bad Request"
            }
            "503" = {
              description = "Service Unavailable"
            }
          }
          x-amazon-apigateway-integration = {
            type                = "aws"
            httpMethod          = "POST"
            uri                 = "arn:${data.aws_partition.current.partition}:apigateway:${data.aws_region.current.region}:dynamodb:action/PutItem"
            credentials         = aws_iam_role.async_request_api.arn
            passthroughBehavior = "never"
            requestTemplates = {
              "application/json" = file("${path.module}/../../../lambda_src/async_request/api/put_request.vtl")
            }
            responses = {
              default = {
                statusCode = "202"
                responseTemplates = {
                  "application/json" = file("${path.module}/../../../lambda_src/async_request/api/accepted.vtl")
                }
              }
              "4\\d{2}" = {
                statusCode = "400"
                responseTemplates = {
                  "application/json" = file("${path.module}/../../../lambda_src/async_request/api/refused.vtl")
                }
              }
              "5\\d{2}" = {
                statusCode = "503"
                responseTemplates = {
                  "application/json" = file("${path.module}/../../../lambda_src/async_request/api/unavailable.vtl")
                }
              }
            }
          }
        }
      }
      "/requests/{id}" = {
        get = {
          parameters = [
            {
              name     = "id"
              in       = "path"
              required = true
              schema = {
                type = "string"
              }
            },
          ]
          responses = {
            "200" = {
              description = "OK"
            }
            "503" = {
              description = "Service Unavailable"
            }
          }
          x-amazon-apigateway-integration = {
            type                = "aws"
            httpMethod          = "POST"
            uri                 = "arn:${data.aws_partition.current.partition}:apigateway:${data.aws_region.current.region}:dynamodb:action/GetItem"
            credentials         = aws_iam_role.async_request_api.arn
            passthroughBehavior = "never"
            requestTemplates = {
              "application/json" = file("${path.module}/../../../lambda_src/async_request/api/get_request.vtl")
            }
            responses = {
              default = {
                statusCode = "200"
                responseTemplates = {
                  "application/json" = file("${path.module}/../../../lambda_src/async_request/api/state.vtl")
                }
              }
              "[45]\\d{2}" = {
                statusCode = "503"
                responseTemplates = {
                  "application/json" = file("${path.module}/../../../lambda_src/async_request/api/not_asked.vtl")
                }
              }
            }
          }
        }
      }
    }
  })
}

resource "aws_api_gateway_deployment" "async_request" {
  rest_api_id = aws_api_gateway_rest_api.async_request.id

  triggers = {
    redeployment = sha1(aws_api_gateway_rest_api.async_request.body)
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "async_request" {
  rest_api_id   = aws_api_gateway_rest_api.async_request.id
  deployment_id = aws_api_gateway_deployment.async_request.id
  stage_name    = var.async_request_stage

  variables = {
    table = aws_dynamodb_table.restaurant.name
  }
}

resource "aws_cloudwatch_metric_alarm" "async_request_iterator_age" {
  alarm_name        = "async-request-iterator-age${var.name_suffix}"
  alarm_description = "async-request is behind its stream, and loses records that become too old."
  namespace         = "AWS/Lambda"
  metric_name       = "IteratorAge"

  dimensions = {
    FunctionName = aws_lambda_function.async_request.function_name
  }

  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 3600000
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}
