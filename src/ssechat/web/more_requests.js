/** The requests that few programs make, by what they are about. */

import { AccountRequests } from "./account_requests.js";
import { BlockRequests } from "./block_requests.js";
import { ConversationRequests } from "./conversation_requests.js";
import { GroupRequests } from "./group_requests.js";
import { MessageRequests } from "./message_requests.js";
import { PresenceRequests } from "./presence_requests.js";
import { UserRequests } from "./user_requests.js";

export { Acks } from "./acks.js";

export const REQUESTS = {
  account: AccountRequests,
  blocks: BlockRequests,
  conversations: ConversationRequests,
  groups: GroupRequests,
  messages: MessageRequests,
  presence: PresenceRequests,
  users: UserRequests,
};
