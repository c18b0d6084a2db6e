# As the official image: the folder of the data belongs to the user redis, who runs the server; reachable by others,
# since it is the network that keeps them out.
set -eu
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    chown redis:redis /data
    exec setpriv --reuid redis --regid redis --init-groups "$@" --protected-mode no
fi
exec "$@"
