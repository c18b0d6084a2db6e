#!/bin/sh
# Make sure that there is a Chromium with its driver: the tests of Flower open it in a real browser.
set -eu
there() {
    { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null 2>&1 &&
        command -v chromedriver >/dev/null 2>&1
}
there && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    echo "installing chromium and chromium-driver"
    apt-get install -y --no-install-recommends chromium chromium-driver >/dev/null 2>&1 ||
        { apt-get update && apt-get install -y --no-install-recommends chromium chromium-driver; } >/dev/null 2>&1 || true
    there && exit 0
fi
echo "Flower is tested in a real browser, and there is no Chromium with its driver here. Install both (on Debian:" >&2
echo "apt install chromium chromium-driver; on Ubuntu: snap install chromium), then run this again." >&2
exit 1
