# Made from pipelines.toml by streamdev's command export: edit that file and export again
# (export terraform --force); export --check tells whether both still agree.

# Region and account are those of the environment (AWS_REGION, AWS_PROFILE). A backend,
# tags or another provider configuration go into a file of your own beside this one.
terraform {
  required_version = ">= 1.5"

  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.6"
    }

    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.36"
    }
  }
}
