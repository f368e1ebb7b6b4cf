/** The overview of the examples: says whether this server shows a banner. */

import { Http } from "../http.js";
import { byId, nameServer } from "./feed_page.js";

nameServer();
try {
  const { banner } = await new Http().request("GET", "/v1/server");
  if (banner) byId("banner").textContent += ` This server shows the feed ${banner}.`;
  else byId("banner").textContent += " This server was started without --banner: it shows none.";
} catch {
  // then it is not said
}
