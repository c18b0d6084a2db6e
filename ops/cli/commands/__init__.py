"""What can be typed: arguments, options and help of each command. What a command does stands in `ops.cli`.

Nothing heavy is imported at the top of these modules, so that `tenor --help` is instant; the bodies of commands import
what they need. A module's `commands` are registered in `ops.cli.main`.
"""
