# Made from pipelines.toml by streamdev's command export: edit that file and export again
# (export terraform --force); export --check tells whether both still agree.

output "user_profile_table_name" {
  value = aws_dynamodb_table.user_profile.name
}

output "user_profile_idempotency_table_name" {
  value = aws_dynamodb_table.user_profile_idempotency.name
}

output "user_profile_versions_table_name" {
  value = aws_dynamodb_table.user_profile_versions.name
}

output "user_profile_function_name" {
  value = aws_lambda_function.user_profile.function_name
}

output "profile_updates_failed_queue_url" {
  value = aws_sqs_queue.profile_updates_failed.url
}

output "profile_updates_topic_arn" {
  value = aws_sns_topic.profile_updates.arn
}

output "profile_updates_seen_queue_url" {
  value = aws_sqs_queue.profile_updates_seen.url
}

output "restaurant_table_name" {
  value = aws_dynamodb_table.restaurant.name
}

output "async_request_function_name" {
  value = aws_lambda_function.async_request.function_name
}

output "async_request_api_id" {
  value = aws_api_gateway_rest_api.async_request.id
}

output "async_request_api_url" {
  value = aws_api_gateway_stage.async_request.invoke_url
}
