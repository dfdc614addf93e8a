/**
 * Who may do what at an endpoint, as one table. The endpoint's own list is the authority; the relay asks the same code
 * with a copy of it, only to refuse early. Denied by default, and a denial beats everything, the owner's rights
 * included.
 */
import { GcError } from "../errors.ts";

/** What a user can want of an endpoint. "own" is about tasks that the same user submitted. */
export type Verb =
  | "submit"
  | "cancel_own"
  | "cancel_any"
  | "follow_own"
  | "follow_any"
  | "see_status"
  | "read_log"
  | "order";

/** How a user stands to an endpoint; the first of these that is true. */
export type Standing = "denied" | "owner" | "user" | "anybody" | "stranger";

/** An access list as written in a configuration; all are user ids. */
export interface AccessSource {
  /** Absent in a relay's copy. */
  readonly owner?: string | undefined;
  readonly users: readonly string[];
  /** Every user of the relay may submit. */
  readonly public: boolean;
  readonly deny: readonly string[];
}

const yes = true;
const no = false;

/**
 * The table. Results are sealed to who submitted, so nobody, the owner included, can follow another's task. Who has
 * been taken off the list may still end and follow what was accepted before.
 */
export const access: { readonly [V in Verb]: { readonly [S in Standing]: boolean } } = {
  submit: { denied: no, owner: yes, user: yes, anybody: yes, stranger: no },
  cancel_own: { denied: no, owner: yes, user: yes, anybody: yes, stranger: yes },
  cancel_any: { denied: no, owner: yes, user: no, anybody: no, stranger: no },
  follow_own: { denied: no, owner: yes, user: yes, anybody: yes, stranger: yes },
  follow_any: { denied: no, owner: no, user: no, anybody: no, stranger: no },
  see_status: { denied: no, owner: yes, user: yes, anybody: yes, stranger: no },
  read_log: { denied: no, owner: yes, user: no, anybody: no, stranger: no },
  order: { denied: no, owner: yes, user: no, anybody: no, stranger: no },
};

/** An access list made ready to be asked. */
export class AccessList {
  readonly #owner: string | undefined;
  readonly #users: ReadonlySet<string>;
  readonly #denied: ReadonlySet<string>;
  readonly #public: boolean;

  constructor(source: AccessSource) {
    this.#owner = source.owner;
    this.#users = new Set(source.users);
    this.#denied = new Set(source.deny);
    this.#public = source.public;
  }

  /** How the user with this id stands. */
  standing(user_id: string): Standing {
    if (this.#denied.has(user_id)) return "denied";
    if (this.#owner !== undefined && this.#owner === user_id) return "owner";
    if (this.#users.has(user_id)) return "user";
    return this.#public ? "anybody" : "stranger";
  }

  /** Whether the user with this id may. */
  allows(user_id: string, verb: Verb): boolean {
    return access[verb][this.standing(user_id)];
  }

  /**
   * Returns when the user with this id may.
   * @throws GcError permission `access.denied`; the message is for that user and says nothing about the list.
   */
  require(user_id: string, verb: Verb, endpoint_id: string): void {
    if (this.allows(user_id, verb)) return;
    const message = `User ${user_id} may not ${phrase[verb]} endpoint ${endpoint_id}`;
    throw new GcError("permission", "access.denied", message, { hint: "gc whoami" });
  }
}

const phrase: { readonly [V in Verb]: string } = {
  submit: "submit tasks to",
  cancel_own: "cancel tasks at",
  cancel_any: "cancel tasks of others at",
  follow_own: "follow tasks at",
  follow_any: "follow tasks of others at",
  see_status: "see the status of",
  read_log: "read the log of",
  order: "give orders to",
};
