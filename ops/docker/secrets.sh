#!/bin/sh
# Make the passwords that docker-compose.yml needs, each once; what is there stays. Run it again after an upgrade.
#   sh ops/docker/secrets.sh [FOLDER]     default: secrets/ in the checkout
set -eu
folder=${1:-$(dirname "$0")/../../secrets}
# Others are kept out by the folder. The files can be read by all, because containers see them with the owner that they
# have here, and do not run as that owner.
umask 022
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

random() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
make() { # NAME CONTENT; a file is there as a whole or not at all
    [ -s "$1" ] && return
    printf '%s' "$2" >"$1.partial"
    mv "$1.partial" "$1"
    echo "made $1"
}

make postgres_password "$(random)"
make redis_password "$(random)"
make tenor_owner_url "postgresql://tenor_owner:$(cat postgres_password)@postgres:5432/tenor"
make tenor_database_url "postgresql://tenor_worker:$(random)@postgres:5432/tenor"
make tenor_analyst_url "postgresql://tenor_reader:$(random)@postgres:5432/tenor"
make tenor_broker_url "redis://tenor:$(cat redis_password)@redis:6379/0"
# What kombu, Celery, Flower and Tenor's own looks at queues need and nothing else: the list of ops/local/redis.py, but
# that a Redis refuses to start over a subcommand of CLIENT that it does not know, so that those of administrators are
# taken away instead. Redis keeps the hash alone.
commands="+client -@admin +auth +hello +ping +select +time +info \
+multi +exec +discard +watch +unwatch +eval +evalsha +script|load +script|exists \
+get +set +del +exists +expire +pexpire \
+lpush +rpush +rpop +brpop +llen \
+hset +hget +hdel +hlen +sadd +srem +smembers +zadd +zrem +zrange +zrangebyscore +zrevrangebyscore \
+publish +subscribe +unsubscribe +psubscribe +punsubscribe"
hash=$(sha256sum <redis_password | cut -d ' ' -f 1)
make redis_users.acl "user default off
user tenor on #$hash ~* &* -@all $commands
"
make flower_basic_auth "tenor:$(random)"
make grafana_password "$(random)"
# Nothing to make up: whoever keeps archives or objects on S3 fills it in.
make aws_credentials "# [default]
# aws_access_key_id = …
# aws_secret_access_key = …
# region = eu-central-1
# endpoint_url = https://…       (of a store that is not Amazon's)
"
