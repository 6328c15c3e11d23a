// Behaviour of the console's pages. Every page works without it.
'use strict';

// A message is shown once. Without this a reload asks for it again.
const address = new URL(location.href);
if (address.searchParams.has('flash')) {
  address.searchParams.delete('flash');
  history.replaceState(null, '', address);
}

// A form is sent once. Forms that come later count too.
document.addEventListener('submit', event => {
  if (event.target.method !== 'post') {
    return;
  }
  if (event.target.dataset.sent) {
    event.preventDefault();
  }
  event.target.dataset.sent = 'true';
});
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent;
  }
});

// Parts of the page are replaced as they change. The parts come from qopen, which escapes every value.
for (const live of document.querySelectorAll('[data-live]')) {
  const note = live.querySelector('.live'), lost = live.querySelector('.live-lost');
  let source = null;
  const replace = event => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) {
      const part = document.getElementById(id);
      const focused = part.contains(document.activeElement) && document.activeElement.id;
      part.innerHTML = html;
      if (focused) {
        (document.getElementById(focused) || document.getElementById('main')).focus();
      }
    }
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    source = new EventSource(live.dataset.live);
    source.addEventListener('parts', replace);
    source.addEventListener('open', () => {
      note.hidden = false;
      lost.hidden = true;
    });
    source.addEventListener('error', () => {
      note.hidden = true;
      // A browser connects again by itself, unless the answer was a refusal.
      lost.hidden = source?.readyState !== EventSource.CLOSED;
    });
  };
  // A browser has few connections for all its tabs, so hidden tabs use none.
  const follow = () => document.visibilityState === 'visible' ? open() : close();
  document.addEventListener('visibilitychange', follow);
  addEventListener('pagehide', close);
  follow();
}
