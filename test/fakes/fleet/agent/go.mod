module kiwistack.example/fleet-stand-in-agent

go 1.25
