/** A bearer token that somebody has pasted: it lasts as long as the tab. */

const TOKEN = "ssechat:token";

export const tabToken = {
  /** @returns {string|null} */
  get() {
    try {
      return sessionStorage.getItem(TOKEN);
    } catch {
      return null;
    }
  },

  /** @param {string|null} token */
  set(token) {
    try {
      if (token === null) sessionStorage.removeItem(TOKEN);
      else sessionStorage.setItem(TOKEN, token);
    } catch {
      // blocked: the token lasts as long as the page
    }
  },
};
