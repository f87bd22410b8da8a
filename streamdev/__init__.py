"""streamdev: DynamoDB Streams and Lambda on your own machine, as they behave on AWS."""

__version__ = "0.1.0"
