#!/bin/sh
# A laboratory without any real network: runs a program on a "machine" (192.0.2.10, 2001:db8::10) whose way out leads to an "outside" (203.0.113.5,
# 2001:db8:1::5, a name server at 192.0.2.1, and a metadata service at 169.254.169.254), all in network namespaces that end with it.
#   outbound-lab.sh NODE OUTSIDE-PROGRAM PROGRAM [ARGUMENT…]
set -eu
if [ "${LAB:-}" = "" ]; then
  LAB=1 exec unshare --net --mount --propagation private sh "$0" "$@"
fi
node=$1 outside=$2
shift 2
ip link set lo up
unshare --net sleep 120 &
far=$!
trap 'kill $far $others 2>/dev/null || true' EXIT
others=
while [ "$(readlink /proc/$far/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
ip link add near type veth peer name far netns $far
ip addr add 192.0.2.10/24 dev near
ip -6 addr add 2001:db8::10/64 dev near nodad
ip link set near up
# Addresses of the machine that are in no list of those in use: of a device that is down, of the one that loops back.
ip link add idle type veth peer name idler
ip addr add 10.7.8.8/24 dev idle
ip addr add 10.7.7.7/32 dev lo
ip addr add 10.7.6.0/24 dev lo
ip route add local 10.7.5.0/24 dev lo
ip -6 addr add 2001:db8:7::7/128 dev lo nodad
ip -6 route add local 2001:db8:8::/64 dev lo
nsenter -t $far -n sh -ec '
  ip link set lo up
  ip addr add 192.0.2.1/24 dev far
  ip -6 addr add 2001:db8::1/64 dev far nodad
  ip -6 addr add fe80::1/64 dev far nodad
  ip link set far up
  for address in 203.0.113.5 169.254.169.254 10.9.9.9; do ip addr add $address/32 dev lo; done
  ip -6 addr add 2001:db8:1::5/128 dev lo nodad'
ip route add default via 192.0.2.1
ip -6 route add default via 2001:db8::1
printf 'nameserver 192.0.2.1\n' >/tmp/lab-resolv.$$
mount --bind /tmp/lab-resolv.$$ "$(readlink -f /etc/resolv.conf)"
rm -f /tmp/lab-resolv.$$
nsenter -t $far -n timeout 120 "$node" "$outside" &
others=$!
"$node" "$@"
