/**
 * What Globus Compute has and gc does without, each with what gc does instead (globus-compute.md §2, §3). Read by
 * `import_engine.ts` and `import_globus.ts`, which tell it to whoever imports an endpoint.
 */

type Reasons = { readonly [key: string]: string };

const network = "a worker finds the endpoint by itself: it tries every address of the endpoint's machine";
const ports = "the system chooses the ports, and the endpoint keeps its own over restarts";
const beats = "links notice by themselves that the other side is gone";
const mpiOnly = 'only type "GlobusMPIEngine" has it';

/** Keys of `engine`. */
export const engineReasons: Reasons = {
  label: "logs are in the endpoint's folder, under no other name",
  executor: "only config.py could make one",
  encrypted: "links are always encrypted",
  strategy: "blocks are asked for as tasks wait, and given back when idle",
  max_retries_on_system_failure: "a task that is lost with its node runs again by itself, unless --on-lost fail",
  working_dir: "every task runs in a sandbox of its own, or where --cwd says",
  run_in_sandbox: "every task has a sandbox of its own, unless --no-sandbox",
  allowed_serializers: "whoever submits chooses how values travel",
  enable_mpi_mode: mpiOnly,
  mpi_launcher: mpiOnly,
  max_workers_per_block: mpiOnly,
  cores_per_worker: "an MPI program gets whole nodes",
  address: network,
  loopback_address: network,
  address_probe_timeout: network,
  worker_port: ports,
  worker_port_range: ports,
  interchange_port_range: ports,
  worker_debug: "log_level says how much is logged",
  prefetch_capacity: "gc decides how many tasks a worker gets ahead",
  heartbeat_threshold: beats,
  heartbeat_period: beats,
  drain_period: "a block gets no more tasks before its walltime ends",
  poll_period: "nothing is polled: tasks go to a worker when it has room",
  worker_logdir_root: "logs of workers are in the folder of their block",
  manager_selector: "gc decides which worker gets a task",
  block_error_handler: "three blocks in a row that fail pause the endpoint, and gc endpoint status says why",
  launch_cmd: "a worker is gc itself",
  thread_name_prefix: "tasks are processes",
  max_tasks_per_child: "every task is a process of its own",
};

/** Keys of `engine.job_status_kwargs`. */
export const statusReasons: Reasons = {
  strategy: engineReasons.strategy ?? "",
  strategy_period: "blocks are asked for at once when a task waits, not by a period",
};

/** Keys of `engine.provider`. */
export const providerReasons: Reasons = {
  cmd_timeout: "gc waits for the scheduler as long as it takes",
  regex_job_id: "gc reads the id of the job itself",
  status_batch_size: "one question is for all blocks",
  bsub_redirection: "the script always goes to the standard input of bsub",
  cmd_chunk_size: "one question is for all blocks",
  move_files: "the folder of a block is shared with its nodes",
  channel: "the endpoint talks to the scheduler of its own machine",
};

/** Keys of `engine.provider.launcher`. */
export const launcherReasons: Reasons = {
  debug: "the output of the launcher is kept in the folder of the block",
  fail_on_any: "a block is up as soon as one of its workers is",
  bash_location: "the launcher starts the script by its own first line",
};

/** What tasks on this very machine do without. */
export const localReasons: Reasons = {
  cores_per_worker: "on this machine a task says itself what it needs: gc run --cores",
  mem_per_worker: "on this machine a task says itself what it needs: gc run --memory",
  job_status_kwargs: "tasks run on this machine, without blocks",
};

export const withoutBlocks = "tasks run on this machine, without blocks";

/** Providers that gc does not speak to, by what they are for. */
export const foreignProviders: Reasons = {
  CondorProvider: "HTCondor",
  KubernetesProvider: "Kubernetes",
  AWSProvider: "Amazon EC2",
  GoogleCloudProvider: "Google Cloud",
  AzureProvider: "Azure",
};

const removed = "Globus Compute itself has removed it";
const policy = "gc has no Globus accounts; allow.users says who may submit";
const idle = "an idle endpoint goes on, at next to no cost";
const service = "gc talks to its own relay; see gc context list";

/** Keys at the top of `config.yaml` and of the template. */
export const topReasons: Reasons = {
  high_assurance: "nothing in gc is certified; bodies of tasks are always sealed",
  authentication_policy: policy,
  subscription_id: policy,
  admins: policy,
  public: "it only lists the endpoint; allow.public would let every user of the relay submit",
  email: "nobody is shown a contact",
  amqp_port: service,
  environment: service,
  local_compute_services: service,
  heartbeat_period: beats,
  heartbeat_threshold: beats,
  idle_heartbeats_soft: idle,
  idle_heartbeats_hard: idle,
  endpoint_setup: "run it before gc endpoint start; worker_init is for what tasks need",
  endpoint_teardown: "run it after gc endpoint stop",
  log_dir: "the log is endpoint.log in the endpoint's folder",
  stdout: "the log is endpoint.log in the endpoint's folder",
  stderr: "the log is endpoint.log in the endpoint's folder",
  identity_mapping_config_path: "the endpoint runs everything as the user who starts it",
  audit_log_path: "gc writes no audit log",
  pam: "the endpoint runs everything as the user who starts it",
  mu_child_ep_grace_period_s: "there is one endpoint, not one for each user",
  multi_user: removed,
  force_mu_allow_same_user: removed,
  detach_endpoint: `${removed}; gc endpoint start --detach`,
  executors: `${removed}; "engine" took its place`,
  funcx_service_address: removed,
  results_ws_uri: removed,
  warn_about_url_mismatch: removed,
};

/** Files beside the configuration. */
export const fileReasons: Reasons = {
  "config.py": "it is a program, and gc runs none; Globus Compute would read it instead of config.yaml",
  "endpoint.json": "the endpoint gets an id of its own",
  "identity_mapping_config.json":
    "the endpoint runs everything as the user who starts it; allow.users says who may submit",
};
