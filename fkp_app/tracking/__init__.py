"""Faces followed through a video: where to look for each one, whether the points still lie on it, and steady points.

The states of one face:

     a search finds a new face
                │
                v     second look: points go with the crop
      ┌──────> SEEN ─────────────────────────────────────> DOUBTED
      │        │  ^                                        │  │
      │        │  └──── second look: points stay ──────────┘  │
      │        │                                              │
      │        │ points implausible, or                       │ points go with the crop again,
      │        │ another track follows this face              │ or either reason on the left
      │        v                                              │
      ├────── LOST <──────────────────────────────────────────┘
      │        │
      │        └─ after 1 second ──> forgotten
      │
      └ a search finds a face where this one was going: it keeps its number

SEEN: reported. In every 5th frame the network looks at the face twice, the second time in a shifted crop.
DOUBTED: reported, but the next frame looks twice again.
LOST: not reported. If its points failed, the frame in which that happened is searched as a whole at once.
CUT is no state but an event: the picture changes, or no frame comes for 1 second. In that frame every face is looked at
twice, one failed second look makes it LOST, the others forget their motion, and the whole frame is searched.

`tracker` changes the states, `tracks` decides whether points are plausible, `searches` when to search and what counts
as a cut, `smoothing` filters the points.
"""
