# Sourced by users and by the other scripts: how to reach the test cluster.
export TESTCLUSTER_WORK=${TESTCLUSTER_WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/ktail-testcluster}
export KUBECONFIG=$TESTCLUSTER_WORK/state/admin.kubeconfig
case :$PATH: in
  *":$TESTCLUSTER_WORK/bin:"*) ;;
  *) export PATH=$TESTCLUSTER_WORK/bin:$PATH ;;
esac
