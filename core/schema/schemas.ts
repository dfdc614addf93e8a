/** The list of all shapes that cross a boundary. A new schema is added here, and nowhere else. */
import { contextsSchema, endpointConfigSchema, knownSchema } from "./config.ts";
import {
  acceptHeaderSchema,
  cancelHeaderSchema,
  headerSchema,
  keyRecordSchema,
  liveHeaderSchema,
  receiptHeaderSchema,
  resultHeaderSchema,
  taskHeaderSchema,
} from "./envelope.ts";
import { functionFileSchema, functionStatementSchema } from "./function.ts";
import { endpointKeySchema, identityFileSchema, inviteSchema } from "./identity.ts";
import * as live from "./live_message.ts";
import { parcelHeadSchema } from "./outbox.ts";
import { pythonReplySchema } from "./python.ts";
import { relayConfigSchema } from "./relay_config.ts";
import * as relay from "./relay_message.ts";
import { resultBodySchema, resultSchema } from "./result.ts";
import { sdkRequestSchema } from "./sdk_message.ts";
import * as session from "./session_message.ts";
import { taskBodySchema, taskSpecSchema } from "./task.ts";
import { doorSchema, workerFileSchema } from "./worker_file.ts";
import * as worker from "./worker_message.ts";

export const schemas = [
  keyRecordSchema,
  identityFileSchema,
  endpointKeySchema,
  inviteSchema,
  taskHeaderSchema,
  acceptHeaderSchema,
  resultHeaderSchema,
  receiptHeaderSchema,
  cancelHeaderSchema,
  liveHeaderSchema,
  headerSchema,
  taskSpecSchema,
  taskBodySchema,
  workerFileSchema,
  pythonReplySchema,
  doorSchema,
  resultSchema,
  resultBodySchema,
  parcelHeadSchema,
  session.helloSchema,
  session.authSchema,
  session.welcomeSchema,
  session.refuseSchema,
  session.errorSchema,
  session.pingSchema,
  session.pongSchema,
  relay.submitSchema,
  relay.postSchema,
  relay.watchSchema,
  relay.unwatchSchema,
  relay.takenSchema,
  relay.listSchema,
  relay.endpointsSchema,
  relay.submittedSchema,
  relay.okSchema,
  relay.newsSchema,
  relay.envelopesSchema,
  relay.endpointsAnswerSchema,
  relay.creditSchema,
  relay.mailAckSchema,
  relay.depositSchema,
  relay.announceSchema,
  relay.mailSchema,
  relay.storedSchema,
  relay.liveSchema,
  relay.undeliveredSchema,
  relayConfigSchema,
  worker.runSchema,
  worker.resultAckSchema,
  worker.workerCancelSchema,
  worker.workerSignalSchema,
  worker.followSchema,
  worker.inputSchema,
  worker.resizeSchema,
  worker.workerStopSchema,
  worker.readySchema,
  worker.reportSchema,
  worker.chunkSchema,
  worker.inputAckSchema,
  worker.leavingSchema,
  live.askTasksSchema,
  live.tasksAnswerSchema,
  live.askStatusSchema,
  live.statusAnswerSchema,
  live.askLogSchema,
  live.logAnswerSchema,
  live.orderSchema,
  live.doneSchema,
  contextsSchema,
  knownSchema,
  sdkRequestSchema,
  functionFileSchema,
  functionStatementSchema,
] as const;

/**
 * What is read by those alone who configure or run an endpoint. Its validator is larger than all others together, and
 * every short command would load it with them.
 */
export const settingsSchemas = [endpointConfigSchema] as const;
