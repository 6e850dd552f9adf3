# Sourced, by people and by the scripts beside it: how to reach the test cluster.
export TESTCLUSTER_WORK=${TESTCLUSTER_WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/ktail-testcluster}
export KUBECONFIG=$TESTCLUSTER_WORK/state/admin.kubeconfig
case :$PATH: in
  *":$TESTCLUSTER_WORK/bin:"*) ;;
  *) export PATH=$TESTCLUSTER_WORK/bin:$PATH ;;
esac
