"""What tells a deploy's own calls from those of others, on both sides of LocalStack's gateway."""

#: Its value is who deploys; ``streamdev.plugins.alterations`` counts by it.
DEPLOYER_HEADER = "X-Streamdev-Deployer"
