// The waterfall of a run: a row a try, its phases on one time axis. Only rows in sight are drawn.

import { Axis, ticksOf } from "./axis.js";
import { Bars, HEIGHT } from "./bars.js";
import { Box, Flex, Text, h, useCallback, useMemo, useNavigate, useRef, useState, useWidth } from "./host.js";
import { Names } from "./names.js";
import { OverviewStrip } from "./overview_strip.js";
import { isFailure, spanOf } from "./rows.js";
import { Views } from "./toolbar.js";
import { Tooltip } from "./tooltip.js";
import { TrySummary } from "./try_summary.js";
import { useDrawnRange, useWheel, useZoom } from "./zoom.js";

const BEYOND = 6; // rows drawn above and below those in sight
const MANY = 12; // rows, from which on all are shown at a glance, too
const TALL = 560; // pixels
const AXIS = 20;
const NARROW = 600; // of the whole, below which names get less
const RIGHT = 24; // for a scroll bar

// Which rows are in sight of a scrolled node.
function useSight(node, total) {
  const [top, scroll] = useState(0);
  const first = Math.max(0, Math.min(Math.floor(top / HEIGHT) - BEYOND, total - 1));
  const last = Math.min(total, Math.ceil((top + TALL) / HEIGHT) + BEYOND);
  const show = useCallback((place) => {
    const { scrollTop } = node.current;
    const y = place * HEIGHT;
    if (y < scrollTop || y + HEIGHT + AXIS > scrollTop + node.current.clientHeight) {
      node.current.scrollTop = y - node.current.clientHeight / 2;
    }
  }, []);
  return { first, last, show, onScroll: (event) => scroll(event.currentTarget.scrollTop) };
}

// `rows`: those that are shown, of `all`; `phase`: the one that is shown alone; `of`: what it all is, and `what`
// its rows are.
export function Waterfall({ tries, all, rows, phase, linkOf, of = "run", what = "tries" }) {
  const whole = useMemo(() => spanOf(tries, all), [tries, all]);
  const [node, room] = useWidth();
  return h(
    Box,
    { ref: node },
    whole
      ? room > 0 && h(Chart, { tries, all, rows, phase, linkOf, whole, room, of, what })
      : h(Text, { color: "fg.muted" }, `None of the ${what} has begun yet.`),
  );
}

function Chart({ tries, all, rows, phase, linkOf, whole, room, of, what }) {
  const scroller = useRef(null);
  const plot = useRef(null);
  const names = room < NARROW ? 124 : 230;
  const width = Math.max(room - names - RIGHT, 40);
  const beside = { flexShrink: 0, style: { width: names } };
  const zoom = useZoom(whole);
  const [byClock, setClock] = useState(false);
  const [critical, setCritical] = useState(true);
  const [told, tell] = useState(null); // { place, at, touched }: what the tooltip is about
  const sight = useSight(scroller, rows.length);
  useWheel(plot, zoom);
  const { from, to } = zoom.view;
  const view = useMemo(() => ({ from, to }), [from, to]);
  const ticks = useMemo(() => ticksOf(view, width, whole.from, byClock), [view, width, whole.from, byClock]);
  const hide = useCallback(() => tell(null), []);

  // A row, and where it lies in the view.
  const chosen = told ? rows[told.place] : undefined;
  const middle =
    chosen && chosen.start !== null ? (chosen.start + chosen.length / 2 - from) / (to - from) : 0.5;
  const pick = (place) => {
    scroller.current.scrollIntoView({ block: "nearest" });
    sight.show(place);
    if (rows[place].start !== null) zoom.reveal(rows[place].start, rows[place].until);
    const box = scroller.current.getBoundingClientRect();
    const y = box.top + AXIS + place * HEIGHT - scroller.current.scrollTop;
    tell({ place, at: { x: box.left + 200, y } });
  };
  const jumped = useRef(-1);
  const jump = () => {
    const failed = rows.map((_, place) => place).filter((place) => isFailure(rows[place]));
    jumped.current = failed.find((place) => place > jumped.current) ?? failed[0];
    pick(jumped.current);
  };
  return h(
    Box,
    null,
    h(Views, { rows, zoom, of, middle, byClock, setClock, critical, setCritical, jump }),
    h(
      Box,
      {
        ref: scroller,
        onScroll: sight.onScroll,
        maxHeight: `${TALL}px`,
        overflowY: "auto",
        overflowX: "hidden",
        borderWidth: "1px",
        borderRadius: "sm",
        tabIndex: 0,
        role: "region",
        "aria-label": `Waterfall of the ${of}`,
        onKeyDown: keys(zoom),
      },
      h(
        Flex,
        null,
        h(
          Box,
          { ...beside, paddingStart: 2 },
          h(Box, { position: "sticky", top: 0, height: `${AXIS}px`, bg: "bg", zIndex: 1, marginStart: -2 }),
          h(Names, {
            rows,
            first: sight.first,
            last: sight.last,
            chosen: told?.place ?? null,
            linkOf,
            onLeave: hide,
            pick,
            onPoint: (place, link) => tell({ place, at: corner(link) }),
          }),
        ),
        h(
          Box,
          { ref: plot, flex: 1, minWidth: 0 },
          h(
            Box,
            {
              position: "sticky",
              top: 0,
              bg: "bg",
              zIndex: 1,
              borderBottomWidth: "1px",
              height: `${AXIS}px`,
            },
            h(Axis, { ticks, width }),
          ),
          h(Plot, {
            tries,
            rows,
            phase,
            linkOf,
            view,
            zoom,
            width,
            ticks,
            critical,
            sight,
            told,
            tell,
            hide,
            what,
          }),
        ),
      ),
      !rows.length && h(Text, { padding: 4, color: "fg.muted" }, `None of the ${what} is as asked for.`),
    ),
    all.length > MANY &&
      h(
        Flex,
        { marginTop: 2 },
        h(Box, { ...beside, fontSize: "xs", color: "fg.muted" }, "all at a glance"),
        h(OverviewStrip, { tries, rows, whole, zoom, width }),
      ),
    chosen &&
      h(Tooltip, { at: told.at, close: hide }, h(TrySummary, { tries, row: chosen, touched: told.touched })),
  );
}

function Plot(given) {
  const { tries, rows, phase, linkOf, view, zoom, width, ticks, critical, sight, told, tell, hide, what } = given;
  const navigate = useNavigate();
  const at = (x) => view.from + (x / width) * (view.to - view.from);
  const drew = useRef(false);
  const { drawn, handlers } = useDrawnRange((a, b) => {
    drew.current = true; // the click that follows opens nothing
    zoom.to(at(a), at(b));
  });
  const placeOf = (event) =>
    Math.floor((event.clientY - event.currentTarget.getBoundingClientRect().top) / HEIGHT);
  const point = (event, touched) =>
    rows[placeOf(event)] &&
    tell({ place: placeOf(event), at: { x: event.clientX, y: event.clientY }, touched });
  const touch = useRef(false);
  return h(
    Box,
    {
      position: "relative",
      cursor: "pointer",
      touchAction: "pan-y",
      ...handlers,
      onPointerDown: (event) => {
        touch.current = event.pointerType === "touch";
        handlers.onPointerDown(event);
      },
      onPointerMove: (event) => {
        handlers.onPointerMove(event);
        // Where the page scrolls below a pointer that rests, a browser says that it moved, by nothing.
        const moved = event.movementX !== 0 || event.movementY !== 0;
        if (event.pointerType !== "touch" && moved) point(event, false);
      },
      onPointerLeave: (event) => event.pointerType !== "touch" && hide(),
      onClick: (event) => {
        const place = placeOf(event);
        if (drew.current) drew.current = false;
        else if (touch.current && told?.place !== place) point(event, true);
        else if (rows[place]) navigate(linkOf(rows[place].index));
      },
    },
    h(Bars, { tries, rows, first: sight.first, last: sight.last, view, width, ticks, phase, critical, what }),
    told &&
      h(Box, {
        position: "absolute",
        pointerEvents: "none",
        left: 0,
        right: 0,
        height: `${HEIGHT}px`,
        style: { top: told.place * HEIGHT },
        bg: "blue.500",
        opacity: 0.12,
      }),
    drawn &&
      h(Box, {
        position: "absolute",
        pointerEvents: "none",
        top: 0,
        bottom: 0,
        bg: "blue.500",
        opacity: 0.2,
        style: { left: Math.min(...drawn), width: Math.abs(drawn[1] - drawn[0]) },
      }),
  );
}

function corner(link) {
  const box = link.getBoundingClientRect();
  return { x: box.right, y: box.bottom };
}

const keys = (zoom) => (event) => {
  const done = {
    "+": () => zoom.closer(),
    "-": () => zoom.wider(),
    0: zoom.reset,
    ArrowLeft: () => zoom.pan(-0.2),
    ArrowRight: () => zoom.pan(0.2),
  }[event.key];
  if (!done || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  done();
};
