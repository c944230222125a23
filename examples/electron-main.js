// SPDX-License-Identifier: LGPL-2.1-or-later
// The main process of an Electron app whose renderer has frames to encrypt: the renderer asks by IPC, and sees neither a
// key nor the daemon. The key is made in the daemon, and leaves it only wrapped for the daemons of the other members.
'use strict';

const { app, ipcMain } = require('electron');
const { Client, Codec, Direction, FrameType, Media, ResultFlags, Role } = require('framekey');

// Over the app's own signalling, to each member by itself.
const members = new Map(); // name: the transport key of the member's daemon
const sendToMember = (name, wrapped) => console.log(`key for ${name}: ${wrapped.length} bytes`);

function startCall(me) {
    const client = new Client();
    // A successor is used half a second after it was made: by then everybody has it.
    const session = client.openSession('element-call', 'call', { activateAfterUsec: 500000 });
    session.addParticipant(me, Role.LOCAL);
    session.generateKey(me, 0);
    session.onEvent(({ name, participant, keyIndex, state }) => {
        if (name === 'KeyInstalled' && participant === me)
            members.forEach((key, member) => sendToMember(member, session.exportWrapped(me, key, keyIndex)));
        else if (name === 'DecryptionStalled')
            console.log(`cannot hear ${participant}: ${state}`);
    });
    const channel = session.openChannel();
    const stream = session.addStream(channel, me, Direction.ENCRYPT, Media.VIDEO, Codec.VP8);

    ipcMain.handle('encrypt', async (_event, frame, isKeyFrame) => {
        const { data, flags } = await stream.encrypt(frame, { frameType: isKeyFrame ? FrameType.KEY : FrameType.DELTA });
        return { data, keyFrameWanted: (flags & ResultFlags.KEYFRAME_WANTED) !== 0 };
    });
    ipcMain.handle('member', (_event, name, transportKey) => {
        members.set(name, transportKey);
        sendToMember(name, session.exportWrapped(me, transportKey));
    });
    ipcMain.handle('rotate', () => session.rotate(me, 'asked by the user'));
    app.on('will-quit', () => {
        channel.close();
        client.close();
    });
}

app.whenReady().then(() => startCall('desk'));
