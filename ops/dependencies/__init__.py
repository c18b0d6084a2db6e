"""What Tenor is built on: known vulnerabilities (`make audit`) and licences (`make licences`)."""
