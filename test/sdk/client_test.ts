import { afterAll, beforeAll, describe, test } from "bun:test";
import { PythonPlace } from "./python_place.ts";

let place: PythonPlace;
beforeAll(async () => {
  place = new PythonPlace();
  await place.must(["run", "--", "true"]);
}, 30_000);
afterAll(() => place.close());

describe("Client", () => {
  test("runs registered functions, one or a batch, and tells where they stand", async () => {
    await place.tries(`
import time
from gc_compute import Client, Executor, ShellFunction, TaskPending
c = Client()
def add(a, b=1):
    return a + b
def wait_for(path):
    import os, time
    while not os.path.exists(path):
        time.sleep(0.02)
    return "there"
fid = c.register_function(add)
assert c.register_function.__self__ is c and c.get_function(fid)["function_name"] == "add"
tid = c.run(2, b=5, endpoint_id="local", function_id=fid)
while c.get_task(tid)["pending"]:
    time.sleep(0.02)
assert c.get_result(tid) == 7
batch = c.create_batch()
for i in range(20):
    batch.add(fid, args=(i,))
src = c.register_source_code("def twice(x):\\n    return 2 * x\\n", "twice")
batch.add(src, kwargs={"x": 4})
sent = c.batch_run("local", batch)
ids = sent["tasks"][fid] + sent["tasks"][src]
while any(row["pending"] for row in c.get_batch_result(ids).values()):
    time.sleep(0.02)
rows = c.get_batch_result(ids)
assert [rows[i]["result"] for i in ids] == [i + 1 for i in range(20)] + [8]
assert rows[ids[0]]["status"] == "success" and float(rows[ids[0]]["completion_t"]) > 1e9
import os
flag = os.getcwd() + "/flag"
w = c.run(flag, function_id=c.register_function(wait_for))
try:
    c.get_result(w)
    assert False
except TaskPending as e:
    assert e.reason, e
open(flag, "w").close()
while c.get_task(w)["pending"]:
    time.sleep(0.02)
assert c.get_result(w) == "there"
# The same from a client that submitted nothing of it.
assert Client().get_result(tid) == 7
sh = c.register_function(ShellFunction("echo {x}"))
with Executor() as ex:
    assert ex.submit_to_registered_function(sh, kwargs={"x": 5}).result().stdout == "5\\n"
    assert ex.submit_to_registered_function(fid, args=(1,)).result() == 2
    assert ex.submit_to_registered_function(ex.register_source_code("def f(): return 1", "f")).result() == 1
c.delete_function(src)
print("ok")
`);
    await place.tries(`
from gc_compute import Client, Executor
c = Client()
status = c.get_endpoint_status("local")
assert status["status"] == "online" and status["details"]["total_workers"] >= 1, status
me = c.get_endpoint_metadata("local")
assert me["uuid"] in [row["uuid"] for row in c.get_endpoints()], c.get_endpoints()
assert "Linux" in Executor().get_worker_hardware_details()
c.version_check()
try:
    c.get_task("00000000-0000-8000-8000-000000000000")
    assert False
except Exception as e:
    assert "no task" in str(e), e
print("ok")
`);
  }, 60_000);
});
