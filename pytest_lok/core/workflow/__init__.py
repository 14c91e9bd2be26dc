"""The TOML file -> Workflow -> Plan -> Schedule."""
