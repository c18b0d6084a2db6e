"""What strangers, insiders and careless libraries must not get done."""
