# Made from pipelines.toml by streamdev's command export: edit that file and export again
# (export terraform --force); export --check tells whether both still agree.

variable "name_suffix" {
  type        = string
  default     = ""
  description = "Ends every name, such as -staging, so that stages can share an account."

  validation {
    condition     = can(regex("^(-[a-z0-9]+)*$", var.name_suffix)) && length(var.name_suffix) <= 16
    error_message = "Words of small letters and digits with - before each, 16 characters at most."
  }
}

variable "log_retention_in_days" {
  type        = number
  default     = 30
  description = "How long CloudWatch keeps what functions log."

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653], var.log_retention_in_days)
    error_message = "AWS takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653."
  }
}

variable "keep_data" {
  type        = bool
  default     = true
  description = "Whether tables, and buckets with something in them, are kept from being deleted."
}

variable "alarm_topic_arn" {
  type        = string
  default     = ""
  description = "The SNS topic that alarms are told to. Without one CloudWatch only shows them."

  validation {
    condition     = can(regex("^(arn:[^:]+:sns:.+)?$", var.alarm_topic_arn))
    error_message = "AWS takes the ARN of an SNS topic."
  }
}

variable "async_request_stage" {
  type        = string
  default     = "dev"
  description = "The stage of the API async-request, part of its URL."

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,128}$", var.async_request_stage))
    error_message = "AWS takes letters, digits, _ and -."
  }
}
