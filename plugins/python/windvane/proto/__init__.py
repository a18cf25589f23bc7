"""The messages of the contract, generated from plugins/proto/v1 by generate.sh."""
